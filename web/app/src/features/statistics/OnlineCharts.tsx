import { Text } from "@mantine/core";
import { useMemo } from "react";
import { number } from "../../texts";
import { mean, statistics as words } from "../../texts-admin";
import { Chart } from "./LazyChart";
import { Legend } from "./Legend";
import { onlineQuery, stepMs, type View } from "./range";
import { columnsOf, loginsOf } from "./series";
import { StatPanel } from "./StatPanel";
import classes from "./Statistics.module.css";
import type { useOnline } from "./useStatistics";
import { moment, spanName, stepName, tick } from "./words";

type Online = ReturnType<typeof useOnline>;
type Data = NonNullable<Online["data"]>;
interface Props {
  view: View;
  query: Online;
}

const HEIGHT = 280;
const LOGINS_HEIGHT = 250;
const isEmpty = ({ points }: Data) => points.length === 0;
const span = ({ from, to, view }: Data) => spanName(from, to, view.zone, view.to === null);

export function OnlineOverTime({ view, query }: Props) {
  return (
    <StatPanel
      title={words.online}
      className={classes.wide}
      query={query}
      height={HEIGHT + 58}
      isEmpty={isEmpty}
      csv={{ path: "/api/stats/online/", name: "online.csv", query: (now) => onlineQuery(view, now) }}
      table={({ points, view }) => ({
        columns: [{ name: words.at }, { name: words.mean, number: true }, { name: words.most, number: true }, { name: words.logins, number: true }],
        rows: points.toReversed().map(({ at, online, peak, logins }) => [stepName(Date.parse(at), view.step, view.zone), mean(online), number(peak), number(logins)]),
      })}
    >
      {(data) => <Line data={data} />}
    </StatPanel>
  );
}

function Line({ data }: { data: Data }) {
  const { points, peak, from, to, view } = data;
  const { step, zone } = view;
  // Within a minute hardly anybody comes and goes: one line is enough.
  const both = step !== "minute";
  const drawn = useMemo(
    () => columnsOf(points, stepMs[step], both ? [(point) => point.online, (point) => point.peak] : [(point) => point.online]),
    [points, step, both],
  );
  const peakWords = peak ? words.peak(number(peak.online), moment(Date.parse(peak.at), zone)) : words.noPeak;
  return (
    <>
      <div className={classes.facts}>
        <span>{span(data)}</span>
        <strong>{peakWords}</strong>
      </div>
      <Chart
        label={words.onlineLabel(span(data), peakWords)}
        drawn={drawn}
        lines={[{ color: "--online", filled: true }, ...(both ? [{ color: "--series-2", dash: [5, 3], width: 1.5 }] : [])]}
        from={from}
        to={to}
        zone={zone}
        height={HEIGHT}
        tick={(ms) => tick(ms, zone)}
        point={(source) => {
          const point = points[source];
          if (!point) return [];
          return [
            stepName(Date.parse(point.at), step, zone),
            `${words.mean}: ${mean(point.online)}`,
            ...(both ? [`${words.most}: ${number(point.peak)}`] : []),
          ];
        }}
        mark={peak ? { at: Date.parse(peak.at), value: peak.online, text: words.peakMark(number(peak.online)) } : undefined}
      />
      <Legend
        entries={[{ name: words.mean, color: "--online" }, ...(both ? [{ name: words.most, color: "--series-2", dashed: true }] : [])]}
      />
    </>
  );
}

export function Logins({ view, query }: Props) {
  return (
    <StatPanel
      title={words.logins}
      query={query}
      height={LOGINS_HEIGHT + 34}
      isEmpty={isEmpty}
      csv={{ path: "/api/stats/online/", name: "log-ins.csv", query: (now) => onlineQuery(view, now) }}
      table={({ points, view }) => ({
        columns: [{ name: words.at }, { name: words.logins, number: true }],
        rows: points.toReversed().map(({ at, logins }) => [stepName(Date.parse(at), view.step, view.zone), number(logins)]),
      })}
    >
      {(data) => <Bars data={data} />}
    </StatPanel>
  );
}

function Bars({ data }: { data: Data }) {
  const { points, from, to, view } = data;
  const { zone } = view;
  const { drawn, logins } = useMemo(() => {
    const logins = loginsOf(points, view.step, zone);
    return { logins, drawn: columnsOf(logins.points, logins.step, [(point) => point.logins]) };
  }, [points, view.step, zone]);
  const total = number(points.reduce((sum, point) => sum + point.logins, 0));
  return (
    <>
      <div className={classes.facts}>
        <Text span size="sm" c="dimmed">
          {words.loginsTotal(total)}
        </Text>
      </div>
      <Chart
        label={words.loginsLabel(total, span(data))}
        drawn={drawn}
        lines={[{ color: "--series-1", bars: true }]}
        from={from}
        to={to}
        zone={zone}
        height={LOGINS_HEIGHT}
        tick={(ms) => tick(ms, zone)}
        point={(source) => {
          const point = logins.points[source];
          return point ? [stepName(Date.parse(point.at), view.step, zone), `${words.logins}: ${number(point.logins)}`] : [];
        }}
      />
    </>
  );
}
