import { Text } from "@mantine/core";
import { useState, type PointerEvent } from "react";
import type { HeatCell } from "../../api/admin-types";
import { mean, statistics as words } from "../../texts-admin";
import { heatQuery, type View } from "./range";
import { StatPanel } from "./StatPanel";
import classes from "./Heat.module.css";
import { useHeat } from "./useStatistics";
import { hourOfWeek, weekdayName } from "./words";

const WEEKDAYS = [1, 2, 3, 4, 5, 6, 7];
const HOURS = Array.from({ length: 24 }, (_, hour) => hour);

/** The hours of a week, by how many are online. */
export function Heat({ view }: { view: View }) {
  const query = useHeat(view);
  return (
    <StatPanel
      title={words.heat}
      className={classes.panel}
      query={query}
      height={250}
      isEmpty={(cells) => cells.every(({ mean_online }) => (mean_online ?? null) === null)}
      csv={{ path: "/api/stats/heatmap/", name: "hours-of-the-week.csv", query: (now) => heatQuery(view, now) }}
      table={(cells) => ({
        columns: [{ name: words.hour }, ...WEEKDAYS.map((weekday) => ({ name: weekdayName(weekday, "short"), number: true }))],
        rows: HOURS.map((hour) => [
          hour,
          ...WEEKDAYS.map((weekday) => {
            const value = cells.find((cell) => cell.weekday === weekday && cell.hour === hour)?.mean_online;
            return value === null || value === undefined ? words.unknown : mean(value);
          }),
        ]),
      })}
    >
      {(cells) => <HeatMap cells={cells} />}
    </StatPanel>
  );
}

const wordsOf = ({ weekday, hour, mean_online }: HeatCell) => {
  const when = hourOfWeek(weekday, hour);
  return mean_online === null || mean_online === undefined ? words.heatUnknown(when) : words.heatCell(when, mean(mean_online));
};

function HeatMap({ cells }: { cells: HeatCell[] }) {
  const [pointed, setPointed] = useState<HeatCell | null>(null);
  const top = cells.reduce<HeatCell | null>((best, cell) => ((cell.mean_online ?? -1) > (best?.mean_online ?? -1) ? cell : best), null);
  const most = top?.mean_online ?? 0;
  const busiest = top ? words.busiest(hourOfWeek(top.weekday, top.hour), mean(most)) : "";

  function point(event: PointerEvent) {
    const index = event.target instanceof HTMLElement ? event.target.dataset.cell : undefined;
    setPointed(index === undefined ? null : (cells[Number(index)] ?? null));
  }

  return (
    <>
      <Text size="sm" c="dimmed" mb="sm">
        {words.heatHint}
      </Text>
      <div role="img" aria-label={words.heatLabel(busiest)}>
        <div className={classes.map} onPointerMove={point} onPointerDown={point} onPointerLeave={(event) => event.pointerType === "mouse" && setPointed(null)}>
          {WEEKDAYS.map((weekday) => (
            <span key={weekday} className={classes.weekday} style={{ "--line-at": weekday + 1 } as never}>
              {weekdayName(weekday, "short")}
            </span>
          ))}
          {HOURS.map((hour) => (
            <span key={hour} className={classes.hour} data-often={hour % 3 === 0} style={{ "--hour-at": hour + 2 } as never}>
              {hour}
            </span>
          ))}
          {cells.map((cell, index) => (
            <span
              key={`${cell.weekday}-${cell.hour}`}
              className={classes.cell}
              data-cell={index}
              data-unknown={(cell.mean_online ?? null) === null}
              data-pointed={cell === pointed}
              style={
                {
                  "--line-at": cell.weekday + 1,
                  "--hour-at": cell.hour + 2,
                  "--share": `${most > 0 ? Math.round(((cell.mean_online ?? 0) / most) * 100) : 0}%`,
                } as never
              }
            />
          ))}
        </div>
      </div>
      <div className={classes.foot}>
        <span aria-hidden="true">{pointed ? wordsOf(pointed) : busiest}</span>
        <span className={classes.scale} aria-hidden="true">
          {words.less}
          <span className={classes.ramp} />
          {mean(most)}
        </span>
      </div>
    </>
  );
}
