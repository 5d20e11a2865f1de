import { UnstyledButton } from "@mantine/core";
import { useTable } from "@tanstack/react-table";
import type { VirtualItem } from "@tanstack/react-virtual";
import { memo, useMemo, type ReactNode } from "react";
import type { User } from "../../api/types";
import { number, texts } from "../../texts";
import { DownIcon, UpIcon } from "../../ui/icons";
import { columnsFor, features, headingSorts, type Shown } from "./columns";
import type { Sort } from "./query";
import type { Row } from "./rows";
import classes from "./UserList.module.css";

interface Props extends Shown {
  users: User[];
  rows: Row[];
  items: VirtualItem[];
  height: number;
  offset: number;
  total: number | undefined;
  sectionCounts: Record<string, number | undefined>;
  sort: Sort;
  setSort: (sort: Sort) => void;
}

/** The wide form of the list. Only the rows on the screen are in the document; `aria-rowindex` says which they are. */
export function UserTable({ users, rows, items, height, offset, total, sectionCounts, sort, setSort, myId, certain }: Props) {
  const columns = useMemo(() => columnsFor({ myId, certain }), [myId, certain]);
  const table = useTable({ features, columns, data: users, getRowId });
  const rowOf = table.getRowModel().rowsById;

  return (
    <div role="table" aria-label={texts.users.table} aria-rowcount={total ?? -1} className={classes.list}>
      <div role="rowgroup">
        {table.getHeaderGroups().map((group) => (
          <div role="row" key={group.id} className={classes.head}>
            {group.headers.map((header) => (
              <Heading key={header.id} id={header.column.id} sort={sort} setSort={setSort}>
                <table.FlexRender header={header} />
              </Heading>
            ))}
          </div>
        ))}
      </div>
      <div role="rowgroup" className={classes.body} style={{ height }}>
        {items.map((item) => {
          const row = rows[item.index];
          if (!row) return null;
          const style = { transform: `translateY(${item.start - offset}px)` };
          if (row.kind === "section") {
            return (
              <div role="row" key={row.key} className={classes.section} style={style}>
                <span role="cell" aria-colspan={columns.length}>
                  {texts.users.sections[row.presence]}
                  <b>{countWord(sectionCounts[row.presence])}</b>
                </span>
              </div>
            );
          }
          const tableRow = rowOf[String(row.key)];
          return (
            <div role="row" key={row.key} className={classes.user} style={style} aria-rowindex={item.index + 2} data-user={row.user.username}>
              {tableRow?.getAllCells().map((cell) => (
                <Cell key={cell.id} column={cell.column.id} user={row.user} columns={columns}>
                  <table.FlexRender cell={cell} />
                </Cell>
              ))}
            </div>
          );
        })}
      </div>
    </div>
  );
}

const getRowId = (user: User) => String(user.id);
export const countWord = (count: number | undefined) => (count === undefined ? "" : number(count));

interface CellProps {
  column: string;
  // What a cell shows depends on these and on nothing else.
  user: User;
  columns: unknown;
  children: ReactNode;
}

const Cell = memo(
  ({ column, children }: CellProps) => (
    <div role="cell" className={classes.cell} data-column={column}>
      {children}
    </div>
  ),
  (before, after) => before.user === after.user && before.columns === after.columns,
);

interface HeadingProps {
  id: string;
  sort: Sort;
  setSort: (sort: Sort) => void;
  children: ReactNode;
}

function Heading({ id, sort, setSort, children }: HeadingProps) {
  const offered = headingSorts[id];
  if (!offered) return <div role="columnheader">{children}</div>;
  const [first, second] = offered;
  const active = sort === first || sort === second;
  const descending = sort.startsWith("-");
  const next = sort === first && second ? second : first;
  return (
    <div role="columnheader" aria-sort={!active ? "none" : descending ? "descending" : "ascending"}>
      <UnstyledButton className={classes.sort} onClick={() => setSort(next)}>
        {children}
        {active ? descending ? <DownIcon size={14} /> : <UpIcon size={14} /> : null}
      </UnstyledButton>
    </div>
  );
}
