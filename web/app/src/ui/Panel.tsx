import { Title } from "@mantine/core";
import { useId, type ReactNode } from "react";
import classes from "./Panel.module.css";

/** A part of a page with a heading. */
export function Panel({ title, className, children }: { title: string; className?: string | undefined; children: ReactNode }) {
  const id = useId();
  return (
    <section className={`${classes.panel} ${className ?? ""}`} aria-labelledby={id}>
      <Title order={2} size="h5" mb="sm" id={id}>
        {title}
      </Title>
      {children}
    </section>
  );
}
