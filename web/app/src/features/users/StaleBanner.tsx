import { Button } from "@mantine/core";
import { Problem, sentence } from "../../api/problem";
import { useNow } from "../../lib/clock";
import { clockTime, relative } from "../../lib/time";
import { texts } from "../../texts";
import { WarnIcon } from "../../ui/icons";
import classes from "./StaleBanner.module.css";

interface Props {
  error: unknown;
  /** When the list was last known to be right; 0 where it never was. By this machine's clock. */
  updatedAt: number;
  retry: () => void;
  busy: boolean;
}

/** Says plainly that the list is old, since when, and that the page goes on trying. */
export function StaleBanner({ error, updatedAt, retry, busy }: Props) {
  const now = useNow();
  const at = clockTime(updatedAt);
  const text =
    updatedAt === 0
      ? `${texts.users.neverLoaded} ${sentence(error, texts.login.unreachable)}`
      : error instanceof Problem
        ? texts.users.refused(sentence(error, ""), at)
        : texts.users.unreachable(at, relative(updatedAt, now));
  return (
    <div className={classes.banner} role="alert" aria-live="assertive" data-testid="stale">
      <WarnIcon size={20} />
      <p>
        {/* Read out once; the seconds that count on beside it are for the eye. */}
        <strong>{text}</strong> {texts.users.retrying}
      </p>
      <Button size="compact-sm" variant="default" onClick={retry} loading={busy}>
        {texts.tryAgain}
      </Button>
    </div>
  );
}
