import type { AccountStatus, Presence } from "../api/types";
import { exact, relative } from "../lib/time";
import { useNow } from "../lib/clock";
import { texts } from "../texts";
import classes from "./Presence.module.css";

/** A dot and a word: never the colour alone. */
export function PresenceMark({ presence }: { presence: Presence | "was_online" }) {
  return (
    <span className={classes.mark} data-presence={presence}>
      <span className={classes.dot} aria-hidden="true" />
      {texts.presence[presence]}
    </span>
  );
}

/** An active account is the rule and stays quiet; the others stand out. */
export function StatusMark({ status }: { status: AccountStatus }) {
  return (
    <span className={classes.status} data-status={status}>
      {texts.status[status]}
    </span>
  );
}

/** Words that keep up with the time; the exact moment on hover. */
export function Ago({ at, online = false }: { at: string | number | null | undefined; online?: boolean }) {
  const now = useNow();
  if (at === null || at === undefined) return <span className={classes.quiet}>{texts.seen.never}</span>;
  return (
    <time dateTime={new Date(at).toISOString()} title={exact(at)}>
      {online ? texts.seen.now : relative(at, now)}
    </time>
  );
}
