import { SegmentedControl, Text } from "@mantine/core";
import { useMemo } from "react";
import type { ActivePoint } from "../../api/admin-types";
import { number } from "../../texts";
import { statistics as words } from "../../texts-admin";
import { Chart } from "./LazyChart";
import { Legend } from "./Legend";
import { activeDays, stepMs } from "./range";
import { columnsOf } from "./series";
import { StatPanel } from "./StatPanel";
import classes from "./Statistics.module.css";
import { useActive } from "./useStatistics";
import { stepName, tick } from "./words";

const HEIGHT = 220;
const ZONE = "UTC";
const startOf = (point: ActivePoint) => `${point.day}T00:00:00Z`;

const lines = [
  { color: "--online", filled: true },
  { color: "--series-1", dash: [6, 3] },
  { color: "--series-2", dash: [2, 3] },
];

/** How many were there at all: in a day, in a week, in a month. */
export function Active({ days, change }: { days: number; change: (days: number) => void }) {
  const query = useActive(days);
  return (
    <StatPanel
      title={words.active}
      className={classes.wide}
      query={query}
      height={HEIGHT + 120}
      isEmpty={(points) => points.length === 0}
      csv={{ path: "/api/stats/active/", name: "active.csv", query: () => ({ days }) }}
      table={(points) => ({
        columns: [{ name: words.day }, ...[words.daily, words.weekly, words.monthly].map((name) => ({ name, number: true }))],
        rows: points
          .toReversed()
          .map((point) => [stepName(Date.parse(startOf(point)), "day", ZONE), ...[point.daily, point.weekly, point.monthly].map(number)]),
      })}
    >
      {(points) => (
        <>
          <div className={classes.facts}>
            <Text size="sm" c="dimmed" maw={560}>
              {words.activeHint}
            </Text>
            <SegmentedControl
              size="xs"
              aria-label={words.activeDays}
              value={String(days)}
              onChange={(value) => change(Number(value))}
              data={activeDays.map((each) => ({ value: String(each), label: words.days(each) }))}
            />
          </div>
          <Lines points={points} />
        </>
      )}
    </StatPanel>
  );
}

function Lines({ points }: { points: ActivePoint[] }) {
  const dated = useMemo(() => points.map((point) => ({ ...point, at: startOf(point) })), [points]);
  const drawn = useMemo(
    () => columnsOf(dated, stepMs.day, [(point) => point.daily, (point) => point.weekly, (point) => point.monthly]),
    [dated],
  );
  const last = dated.at(-1);
  if (!last) return null;
  const from = Date.parse(dated[0]?.at ?? last.at);
  const values = [last.daily, last.weekly, last.monthly].map(number) as [string, string, string];
  const names = [words.daily, words.weekly, words.monthly];
  return (
    <>
      <Chart
        label={words.activeLabel(...values)}
        drawn={drawn}
        lines={lines}
        from={from}
        to={Date.parse(last.at) + stepMs.day}
        zone={ZONE}
        height={HEIGHT}
        tick={(ms) => tick(ms, ZONE)}
        point={(source) => {
          const point = dated[source];
          if (!point) return [];
          const row = [point.daily, point.weekly, point.monthly];
          return [stepName(Date.parse(point.at), "day", ZONE), ...names.map((name, index) => `${name}: ${number(row[index] ?? 0)}`)];
        }}
      />
      <Legend entries={names.map((name, index) => ({ name, value: values[index], color: lines[index]?.color ?? "", dashed: index > 0 }))} />
    </>
  );
}
