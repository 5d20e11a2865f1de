import { Button, Skeleton } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { texts } from "../../texts";
import type { Shown } from "./columns";
import { isFiltered, runs, type Filter } from "./query";
import { userRow, withSections, type Row } from "./rows";
import { UserCards } from "./UserCards";
import classes from "./UserList.module.css";
import { UserTable } from "./UserTable";
import type { useUsers } from "./useUsers";

const ROW = 56;
const CARD = 98;
const SECTION = 38;
const HEAD = 42;
// How many rows before the end the next page is asked for.
const AHEAD = 60;

interface Props extends Shown {
  list: ReturnType<typeof useUsers>;
  filter: Filter;
  change: (filter: Partial<Filter>) => void;
  clear: () => void;
  total: number | undefined;
  online: number | undefined;
}

export function UserList({ list, filter, change, clear, total, online, myId, certain }: Props) {
  const narrow = useMediaQuery("(max-width: 48em)", false, { getInitialValueInEffect: false }) ?? false;
  const { users, look, hasNextPage, isFetchingNextPage, fetchNextPage, isError } = list;
  const rows = useMemo<Row[]>(() => {
    const order = runs(filter);
    return order.length > 1 ? withSections(users, ["online", "offline"]) : users.map(userRow);
  }, [users, filter]);

  const [frame, setFrame] = useState<HTMLDivElement | null>(null);
  const top = useTop(frame);
  const offset = narrow ? top : top + HEAD;
  const virtual = useWindowVirtualizer({
    count: rows.length,
    estimateSize: (index) => (rows[index]?.kind === "section" ? SECTION : narrow ? CARD : ROW),
    getItemKey: (index) => rows[index]?.key ?? index,
    overscan: 12,
    scrollMargin: offset,
  });
  useEffect(() => virtual.measure(), [virtual, rows, narrow]);

  const items = virtual.getVirtualItems();
  const first = items[0]?.index ?? 0;
  const last = items.at(-1)?.index ?? 0;
  const seen = useRef(look);
  seen.current = look;
  useEffect(() => seen.current(first, last), [first, last]);
  useEffect(() => {
    if (last >= rows.length - AHEAD && hasNextPage && !isFetchingNextPage && !isError) void fetchNextPage();
  }, [last, rows.length, hasNextPage, isFetchingNextPage, isError, fetchNextPage]);

  const offline = total === undefined || online === undefined ? undefined : total - online;
  const common = { rows, items, height: virtual.getTotalSize(), offset, sectionCounts: { online, offline }, myId, certain };
  return (
    <div ref={setFrame} aria-busy={list.isPlaceholderData}>
      {list.data && rows.length > 0 ? (
        narrow ? (
          <UserCards {...common} />
        ) : (
          <UserTable {...common} users={users} total={total} sort={filter.sort} setSort={(sort) => change({ sort })} />
        )
      ) : list.isPending ? (
        <Ghosts />
      ) : list.data && !hasNextPage ? (
        <div className={`${classes.list} ${classes.foot}`}>
          {texts.users.none}
          {isFiltered(filter) ? (
            <Button size="compact-sm" variant="default" onClick={clear}>
              {texts.users.clear}
            </Button>
          ) : null}
        </div>
      ) : null}
      {isFetchingNextPage ? <div className={classes.foot}>{texts.users.more}</div> : null}
    </div>
  );
}

/** The place of the rows until they come, so that nothing moves then. */
function Ghosts() {
  return (
    <div className={classes.list} role="status" aria-label={texts.loading}>
      <div style={{ height: HEAD }} className={classes.ghost} />
      {Array.from({ length: 12 }, (_, index) => (
        <div key={index} className={classes.ghost}>
          <Skeleton height={14} width={`${35 + ((index * 17) % 40)}%`} />
        </div>
      ))}
    </div>
  );
}

/** How far an element is from the top of the document, kept right when something above it grows. */
function useTop(element: HTMLElement | null): number {
  const [top, setTop] = useState(0);
  useLayoutEffect(() => {
    if (!element) return;
    const measure = () => setTop(Math.round(element.getBoundingClientRect().top + window.scrollY));
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(document.body);
    return () => observer.disconnect();
  }, [element]);
  return top;
}
