import { number, texts } from "../../texts";
import { statistics as words } from "../../texts-admin";
import { OnlineFigure } from "../../ui/OnlineFigure";
import { sparkPath } from "./series";
import classes from "./Statistics.module.css";
import { useNowOnline } from "./useStatistics";

const [WIDTH, HEIGHT] = [240, 48];
// The server sums up with a delay: between its last minute and what is seen here there is no gap.
const APART_MS = 5 * 60_000;

/** How many are online at this moment, and the hour that led to it. */
export function Now() {
  const { counts, samples, from, to } = useNowOnline();
  const { data, error } = counts;
  const values = samples.map(({ online }) => online);
  const path = sparkPath(samples, from, to, WIDTH, HEIGHT, APART_MS);
  const label =
    values.length > 1
      ? words.sparkLabel(number(Math.floor(Math.min(...values))), number(Math.ceil(Math.max(...values))))
      : words.sparkNone;
  return (
    <section className={classes.now} aria-label={texts.users.onlineNow}>
      <OnlineFigure counts={data} certain={!error} testId="online-now" />
      <figure className={classes.spark}>
        <svg viewBox={`0 -3 ${WIDTH} ${HEIGHT + 6}`} preserveAspectRatio="none" role="img" aria-label={label}>
          <path d={path} />
        </svg>
        <figcaption aria-hidden="true">{words.lastHour}</figcaption>
      </figure>
    </section>
  );
}
