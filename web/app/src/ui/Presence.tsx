import type { AccountStatus } from "../api/types";
import type { Mark } from "../lib/presence";
import { exact, relative } from "../lib/time";
import { useNow } from "../lib/clock";
import { texts } from "../texts";
import classes from "./Presence.module.css";

/** A dot and a word: never the colour alone, and a shape of its own for each. */
export function PresenceMark({ presence }: { presence: Mark }) {
  return (
    <span className={classes.mark} data-presence={presence}>
      <Dot presence={presence} />
      {texts.presence[presence]}
    </span>
  );
}

/** The dot alone, where a word stands elsewhere. */
export function Dot({ presence }: { presence: Mark }) {
  return <span className={classes.dot} data-presence={presence} aria-hidden="true" />;
}

/** What somebody says of itself, with the whole of it on hover. */
export function Words({ text, emoji }: { text?: string | null | undefined; emoji?: string | null | undefined }) {
  if (!text && !emoji) return null;
  const words = [emoji, text].filter(Boolean).join(" ");
  return (
    <span className={classes.words} title={words}>
      {words}
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
