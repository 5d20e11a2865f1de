import type { Counts } from "../api/types";
import { number, texts } from "../texts";
import classes from "./OnlineFigure.module.css";

interface Props {
  counts: Pick<Counts, "online" | "total"> | undefined;
  /** False where what is shown may be old. */
  certain: boolean;
  testId: string;
}

/** How many are online, large, with a dot before it. */
export function OnlineFigure({ counts, certain, testId }: Props) {
  return (
    <>
      <span className={classes.dot} data-certain={certain} aria-hidden="true" />
      <span className={classes.number} data-testid={testId}>
        {counts ? number(counts.online) : "–"}
      </span>
      <span className={classes.label}>
        {texts.users.onlineNow}
        <small>{counts ? texts.users.ofAll(counts.total) : "\u00a0"}</small>
      </span>
    </>
  );
}
