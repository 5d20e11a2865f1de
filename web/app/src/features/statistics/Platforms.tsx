import { Table } from "@mantine/core";
import type { PlatformRow } from "../../api/admin-types";
import { number } from "../../texts";
import { mean, statistics as words } from "../../texts-admin";
import { platformsQuery, type Platform, type View } from "./range";
import { StatPanel } from "./StatPanel";
import classes from "./Statistics.module.css";
import { usePlatforms } from "./useStatistics";
import { seconds } from "./words";

/** What people are online with. A table with bars in it. */
export function Platforms({ view }: { view: View }) {
  const query = usePlatforms(view);
  return (
    <StatPanel
      title={words.byPlatform}
      query={query}
      height={250}
      isEmpty={(rows) => rows.length === 0}
      csv={{ path: "/api/stats/platforms/", name: "platforms.csv", query: (now) => platformsQuery(view, now) }}
    >
      {(rows) => <Rows rows={rows.toSorted((one, other) => other.mean_online - one.mean_online)} />}
    </StatPanel>
  );
}

function Rows({ rows }: { rows: PlatformRow[] }) {
  const top = Math.max(0.001, ...rows.map((row) => row.mean_online));
  return (
    <div className={classes.scroll} tabIndex={0} role="group" aria-label={words.byPlatform}>
      <Table verticalSpacing={6} horizontalSpacing={8} fz="sm" className={classes.platforms}>
        <caption className="visually-hidden">{words.byPlatform}</caption>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{words.platformColumn}</Table.Th>
            <Table.Th>{words.onAverage}</Table.Th>
            <Table.Th ta="right">{words.most}</Table.Th>
            <Table.Th ta="right">{words.logins}</Table.Th>
            <Table.Th ta="right">{words.sessionsColumn}</Table.Th>
            <Table.Th ta="right">{words.medianLength}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map((row) => (
            <Table.Tr key={row.platform}>
              <Table.Th scope="row">{words.platforms[row.platform as Platform] ?? row.platform}</Table.Th>
              <Table.Td>
                <span className={classes.share}>
                  <span className={classes.fill} style={{ width: `${(row.mean_online / top) * 100}%` }} />
                </span>
                {mean(row.mean_online)}
              </Table.Td>
              <Table.Td ta="right">{number(row.peak)}</Table.Td>
              <Table.Td ta="right">{number(row.logins)}</Table.Td>
              <Table.Td ta="right">{number(row.sessions)}</Table.Td>
              <Table.Td ta="right">{seconds(row.median_seconds)}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}
