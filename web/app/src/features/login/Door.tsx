import type { ReactNode } from "react";
import { Logo } from "../../ui/Logo";
import { SchemeToggle } from "../../ui/SchemeToggle";
import classes from "./Door.module.css";

/** What stands around the pages before the log-in. */
export function Door({ children }: { children: ReactNode }) {
  return (
    <main className={classes.door}>
      <div className={classes.top}>
        <Logo />
        <SchemeToggle />
      </div>
      <div className={classes.card}>{children}</div>
    </main>
  );
}
