import { Button } from "@mantine/core";
import { sentence } from "../../api/problem";
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
  const why =
    updatedAt === 0
      ? `${texts.users.neverLoaded} ${sentence(error, texts.users.unreachable)}`
      : sentence(error, texts.users.unreachable);
  return (
    <div className={classes.banner} role="alert" data-testid="stale">
      <WarnIcon size={20} />
      <p>
        <strong>{why}</strong>{" "}
        {/* The seconds that count on are for the eye: read out each time they would be a plague. */}
        {updatedAt === 0 ? null : <span aria-hidden="true">{texts.users.asOf(clockTime(updatedAt), relative(updatedAt, now))} </span>}
        {texts.users.retrying}
      </p>
      <Button size="compact-sm" variant="default" onClick={retry} loading={busy}>
        {texts.tryAgain}
      </Button>
    </div>
  );
}
