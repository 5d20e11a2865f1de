import { Text } from "@mantine/core";
import { useId, useMemo } from "react";
import type { Sampled, StatusesPoint } from "../../api/admin-types";
import type { AccountStatus } from "../../api/types";
import { texts } from "../../texts";
import { mean, statistics as words } from "../../texts-admin";
import { Chart } from "./LazyChart";
import { Legend } from "./Legend";
import { statusesQuery, stepMs, type View } from "./range";
import { columnsOf, stacked } from "./series";
import { StatPanel } from "./StatPanel";
import classes from "./Statistics.module.css";
import { useStatuses } from "./useStatistics";
import { spanName, stepName, tick } from "./words";

type Data = NonNullable<ReturnType<typeof useStatuses>["data"]>;

const HEIGHT = 240;
/** From the foot of the chart up. */
const kinds: Sampled[] = ["available", "away", "dnd"];
const lines = [
  { color: "--online", stacked: true },
  { color: "--away", stacked: true, dash: [6, 3] },
  { color: "--dnd", stacked: true, dash: [2, 3] },
];
const statuses: AccountStatus[] = ["active", "pending", "suspended", "banned", "inactive"];

const nameOf = (kind: Sampled) => texts.availability.names[kind];
const values = kinds.map((kind) => (point: StatusesPoint) => point.by_availability[kind]);
const edges = stacked(values);
const allOf = ({ by_availability }: StatusesPoint) => kinds.reduce((sum, kind) => sum + by_availability[kind], 0);
const numbersOf = (point: StatusesPoint) => kinds.map((kind) => `${nameOf(kind)}: ${mean(point.by_availability[kind])}`);

/** How available those are who are online; and how the accounts stand. */
export function Availability({ view }: { view: View }) {
  const query = useStatuses(view);
  return (
    <StatPanel
      title={words.availability}
      className={classes.wide}
      query={query}
      height={HEIGHT + 126}
      isEmpty={({ points }) => points.length === 0}
      csv={{ path: "/api/stats/statuses/", name: "availability.csv", query: (now) => statusesQuery(view, now) }}
      table={({ points, view }) => ({
        columns: [{ name: words.at }, ...[words.allOnline, ...kinds.map(nameOf)].map((name) => ({ name, number: true }))],
        rows: points
          .toReversed()
          .map((point) => [stepName(Date.parse(point.at), view.step, view.zone), ...[allOf, ...values].map((value) => mean(value(point)))]),
      })}
    >
      {(data) => (
        <>
          <Areas data={data} everyPlatform={view.platform !== null} />
          <Accounts data={data} />
        </>
      )}
    </StatPanel>
  );
}

/** Samples know no platform: said where the others show but one. */
function Areas({ data, everyPlatform }: { data: Data; everyPlatform: boolean }) {
  const { points, from, to, view } = data;
  const { step, zone } = view;
  const drawn = useMemo(() => columnsOf(points, stepMs[step], edges, to), [points, step, to]);
  const last = points.at(-1);
  if (!last) return null;
  const span = spanName(from, to, zone, view.to === null);
  return (
    <>
      <div className={classes.facts}>
        <span>{span}</span>
        {everyPlatform ? <span>{words.everyPlatform}</span> : null}
      </div>
      <Chart
        label={words.availabilityLabel(span, words.availabilityLast(stepName(Date.parse(last.at), step, zone), numbersOf(last)))}
        drawn={drawn}
        lines={lines}
        from={from}
        to={to}
        zone={zone}
        height={HEIGHT}
        tick={(ms) => tick(ms, zone)}
        point={(source) => {
          const point = points[source];
          if (!point) return [];
          return [stepName(Date.parse(point.at), step, zone), `${words.allOnline}: ${mean(allOf(point))}`, ...numbersOf(point)];
        }}
      />
      <Legend entries={kinds.map((kind, index) => ({ name: nameOf(kind), color: lines[index]?.color ?? "", dashed: lines[index]?.dash }))} />
    </>
  );
}

function Accounts({ data: { points, view } }: { data: Data }) {
  const id = useId();
  const last = points.at(-1);
  if (!last) return null;
  const when = stepName(Date.parse(last.at), view.step, view.zone);
  return (
    <>
      <Text id={id} className={classes.accounts}>
        {view.step === "day" ? words.accountsAt.day(when) : words.accountsAt.hour(when)}
      </Text>
      <ul className={classes.legend} aria-labelledby={id}>
        {statuses.map((status) => (
          <li key={status}>
            {texts.status[status]}
            <b>{mean(last.by_status[status])}</b>
          </li>
        ))}
      </ul>
    </>
  );
}
