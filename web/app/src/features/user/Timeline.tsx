import { Skeleton, Table, Text } from "@mantine/core";
import { useMemo } from "react";
import { sentence } from "../../api/problem";
import type { Interval } from "../../api/types";
import { useNow } from "../../lib/clock";
import { clockTime, dayAndTime, duration, exact } from "../../lib/time";
import { timeline, type Day } from "../../lib/timeline";
import { locale, texts } from "../../texts";
import { Panel } from "../../ui/Panel";
import classes from "./Timeline.module.css";
import { DAYS, useHistory } from "./useUser";

const SHOWN = 8;
const MINUTE = 60_000;
const HOURS = [0, 6, 12, 18, 24];

/** When somebody was online: a bar a day, and the latest intervals in numbers. */
export function Timeline({ id }: { id: number }) {
  const { data, error } = useHistory(id);
  // A bar grows by less than a pixel a minute.
  const minute = Math.floor(useNow() / MINUTE);
  const days = useMemo(() => (data ? timeline(data, (minute + 1) * MINUTE, DAYS) : null), [data, minute]);

  return (
    <Panel title={texts.user.timeline}>
      {!days ? (
        error ? (
          <Text c="dimmed">{sentence(error, texts.login.unreachable)}</Text>
        ) : (
          <Skeleton height={DAYS * 30 + 24} />
        )
      ) : (
        <>
          <div className={classes.days}>
            {days.map((day, index) => (
              <Bar key={day.start.getTime()} day={day} today={index === 0} />
            ))}
            <div className={classes.hours} aria-hidden="true">
              {HOURS.map((hour) => (
                <span key={hour}>{hour}</span>
              ))}
            </div>
          </div>
          <Latest intervals={data ?? []} />
        </>
      )}
    </Panel>
  );
}

function Bar({ day, today }: { day: Day; today: boolean }) {
  const name = today
    ? texts.user.today
    : day.start.toLocaleDateString(locale, { weekday: "short", day: "numeric", month: "short" });
  const total = duration(day.onlineMs);
  return (
    <>
      <span className={classes.day}>{name}</span>
      <div className={classes.bar} role="img" aria-label={texts.user.timelineLabel(name, total)}>
        {day.segments.map((segment) => (
          <span
            key={segment.startedAt}
            className={classes.segment}
            style={{ left: `${segment.from * 100}%`, width: `${(segment.to - segment.from) * 100}%` }}
            title={`${exact(segment.startedAt)} – ${segment.endedAt ? exact(segment.endedAt) : texts.user.stillOnline}`}
          />
        ))}
      </div>
      <span className={classes.total} aria-hidden="true">
        {day.onlineMs > 0 ? total : "–"}
      </span>
    </>
  );
}

function Latest({ intervals }: { intervals: Interval[] }) {
  if (intervals.length === 0) return <Text c="dimmed">{texts.user.noHistory}</Text>;
  return (
    <div className={classes.scroll} tabIndex={0} role="region" aria-label={texts.user.intervals}>
      <Table verticalSpacing={6} fz="sm">
        <caption className="visually-hidden">{texts.user.intervals}</caption>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{texts.user.from}</Table.Th>
            <Table.Th>{texts.user.to}</Table.Th>
            <Table.Th>{texts.user.length}</Table.Th>
            <Table.Th>{texts.user.how}</Table.Th>
            <Table.Th>{texts.user.device}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {intervals.slice(0, SHOWN).map((interval) => (
            <Line key={`${interval.started_at}`} interval={interval} />
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}

function Line({ interval }: { interval: Interval }) {
  const { started_at, ended_at, end_reason, device } = interval;
  return (
    <Table.Tr>
      <Table.Td title={exact(started_at)}>{dayAndTime(started_at)}</Table.Td>
      <Table.Td title={ended_at ? exact(ended_at) : undefined}>
        {ended_at ? clockTime(ended_at) : <span className={classes.now}>{texts.user.stillOnline}</span>}
      </Table.Td>
      <Table.Td>{ended_at ? duration(Date.parse(ended_at) - Date.parse(started_at)) : "–"}</Table.Td>
      <Table.Td>{end_reason ? (texts.reason[end_reason] ?? end_reason) : "–"}</Table.Td>
      <Table.Td>{device ?? "–"}</Table.Td>
    </Table.Tr>
  );
}
