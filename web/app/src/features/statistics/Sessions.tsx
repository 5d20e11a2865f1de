import { Text } from "@mantine/core";
import { number, locale } from "../../texts";
import { statistics as words } from "../../texts-admin";
import { sessionsQuery, type View } from "./range";
import { StatPanel } from "./StatPanel";
import classes from "./Statistics.module.css";
import { useSessionLengths } from "./useStatistics";
import { bandName, seconds } from "./words";

const percent = new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 0 });

/** How long people were online at a time. Words and numbers with bars behind them: no other table is needed. */
export function Sessions({ view }: { view: View }) {
  const query = useSessionLengths(view);
  return (
    <StatPanel
      title={words.sessions}
      query={query}
      height={244}
      isEmpty={({ count }) => count === 0}
      csv={{ path: "/api/stats/sessions/", name: "sessions.csv", query: (now) => sessionsQuery(view, now) }}
    >
      {({ count, mean_seconds, median_seconds, lengths }) => {
        const most = Math.max(1, ...lengths.map((band) => band.count));
        return (
          <>
            <dl className={classes.figures}>
              <div>
                <dt>{words.meanLength}</dt>
                <dd>{seconds(mean_seconds)}</dd>
              </div>
              <div>
                <dt>{words.medianLength}</dt>
                <dd>{seconds(median_seconds)}</dd>
              </div>
            </dl>
            <table className={classes.bands}>
              <caption className="visually-hidden">{words.sessions}</caption>
              <thead className="visually-hidden">
                <tr>
                  <th>{words.length}</th>
                  <th>{words.share}</th>
                  <th>{words.times}</th>
                </tr>
              </thead>
              <tbody>
                {lengths.map((band) => (
                  <tr key={band.from_seconds}>
                    <th scope="row">{bandName(band.from_seconds, band.to_seconds)}</th>
                    <td className={classes.track}>
                      <span className={classes.fill} style={{ width: `${(band.count / most) * 100}%` }} />
                      <span className="visually-hidden">{percent.format(band.count / count)}</span>
                    </td>
                    <td>{number(band.count)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
            <Text size="xs" c="dimmed" mt={8}>
              {words.sessionsOf(number(count))}
            </Text>
          </>
        );
      }}
    </StatPanel>
  );
}
