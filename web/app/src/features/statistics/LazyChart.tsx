import { Skeleton } from "@mantine/core";
import { Suspense, lazy } from "react";
import type { Props } from "./Chart";

const Loaded = lazy(() => import("./Chart"));

/** A chart, and in its place until the library is there. */
export function Chart({ label, ...props }: Props & { label: string }) {
  return (
    <div role="img" aria-label={label}>
      <Suspense fallback={<Skeleton height={props.height} />}>
        <Loaded {...props} />
      </Suspense>
    </div>
  );
}

