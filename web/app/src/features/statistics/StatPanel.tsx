import { Button, Skeleton, Table, Text } from "@mantine/core";
import { useId, useState, type ReactNode } from "react";
import { getCsv } from "../../api/admin-calls";
import type { CsvPath } from "../../api/admin-types";
import { sentence } from "../../api/problem";
import { serverNow } from "../../lib/clock";
import { number, texts } from "../../texts";
import { statistics as words } from "../../texts-admin";
import { Panel } from "../../ui/Panel";
import { refused } from "../../ui/notify";
import classes from "./Statistics.module.css";

interface Column {
  name: string;
  /** Numbers stand to the right. */
  number?: boolean;
}

interface AsTable {
  columns: Column[];
  rows: ReactNode[][];
}

interface Props<T> {
  title: string;
  className?: string | undefined;
  /** What was asked of the server, and how it went. */
  query: { data: T | undefined; error: unknown; isPlaceholderData: boolean; isFetching: boolean; refetch: () => unknown };
  height: number;
  isEmpty: (data: T) => boolean;
  /** The same in numbers, for whoever can't see it or wants to know exactly. */
  table?: (data: T) => AsTable;
  /** The file's name, and what it is asked with. */
  csv: { path: CsvPath; name: string; query: (now: number) => object };
  children: (data: T) => ReactNode;
}

/** A statistic: as a picture or a table, with a file to take away; or why there is none. */
export function StatPanel<T>({ title, className, query, height, isEmpty, table, csv, children }: Props<T>) {
  const { data, error, isPlaceholderData, isFetching, refetch } = query;
  const [open, setOpen] = useState(false);
  const id = useId();
  const empty = data !== undefined && isEmpty(data);
  const again = (
    <Button size="compact-sm" variant="default" onClick={() => void refetch()} loading={isFetching}>
      {texts.tryAgain}
    </Button>
  );

  return (
    <Panel
      title={title}
      className={className}
      actions={
        data === undefined || empty ? null : (
          <div className={classes.actions}>
            {table ? (
              <Button
                size="compact-sm"
                variant={open ? "light" : "subtle"}
                color="gray"
                aria-pressed={open}
                aria-controls={open ? id : undefined}
                aria-label={words.tableOf(title)}
                onClick={() => setOpen(!open)}
              >
                {words.table}
              </Button>
            ) : null}
            <Csv title={title} {...csv} />
          </div>
        )
      }
    >
      {data === undefined ? (
        error ? (
          <div className={classes.nothing} style={{ minHeight: height }} role="status">
            <Text c="dimmed">
              {words.failed} {sentence(error, texts.users.unreachable)}
            </Text>
            {again}
          </div>
        ) : (
          <Skeleton height={height} role="status" aria-label={texts.loading} />
        )
      ) : (
        <div data-old={isPlaceholderData} className={classes.body}>
          {error ? (
            <div className={classes.old} role="status">
              <Text size="sm">{words.old}</Text>
              {again}
            </div>
          ) : null}
          {empty ? (
            <div className={classes.nothing} style={{ minHeight: height }}>
              <Text c="dimmed">{words.empty}</Text>
            </div>
          ) : (
            <>
              {children(data)}
              {open && table ? <Numbers id={id} title={title} table={table(data)} /> : null}
            </>
          )}
        </div>
      )}
    </Panel>
  );
}

/** The browser can't send the token with a mere link. */
function Csv({ title, path, name, query }: { title: string } & Props<unknown>["csv"]) {
  const [busy, setBusy] = useState(false);
  async function take() {
    setBusy(true);
    try {
      save(await getCsv(path, query(serverNow())), name);
    } catch (error) {
      refused(words.csvRefused, error);
    } finally {
      setBusy(false);
    }
  }
  return (
    <Button size="compact-sm" variant="subtle" color="gray" loading={busy} aria-label={words.csvOf(title)} onClick={() => void take()}>
      {words.csv}
    </Button>
  );
}

function save(file: Blob, name: string) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  // The browser has read it by then.
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** More rows than anybody reads make a page slow. */
const MOST_ROWS = 400;

function Numbers({ id, title, table: { columns, rows } }: { id: string; title: string; table: AsTable }) {
  const shown = rows.slice(0, MOST_ROWS);
  return (
    <div id={id} className={classes.numbers}>
      <div className={classes.scroll} tabIndex={0} role="group" aria-label={title}>
        <Table verticalSpacing={4} fz="sm" stickyHeader>
          <caption className="visually-hidden">{title}</caption>
          <Table.Thead>
            <Table.Tr>
              {columns.map(({ name, number }) => (
                <Table.Th key={name} ta={number ? "right" : undefined}>
                  {name}
                </Table.Th>
              ))}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {shown.map((row, index) => (
              <Table.Tr key={index}>
                {row.map((cell, column) => (
                  <Table.Td key={column} ta={columns[column]?.number ? "right" : undefined}>
                    {cell}
                  </Table.Td>
                ))}
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </div>
      {shown.length < rows.length ? (
        <Text size="xs" c="dimmed" mt={6}>
          {words.firstRows(number(shown.length), number(rows.length))}
        </Text>
      ) : null}
    </div>
  );
}
