import { useLiveStatus } from "../live/LiveProvider";
import { texts } from "../texts";
import { LiveIcon, RefreshIcon } from "./icons";
import classes from "./Shell.module.css";

/** Whether what is shown is live, or refreshed every few seconds. */
export function LiveMark() {
  const live = useLiveStatus() === "open";
  const Icon = live ? LiveIcon : RefreshIcon;
  return (
    <span className={classes.live} data-testid="live" data-live={live} title={live ? texts.live.liveHint : texts.live.refreshingHint}>
      <Icon size={14} />
      <span className={classes.word}>{live ? texts.live.live : texts.live.refreshing}</span>
    </span>
  );
}
