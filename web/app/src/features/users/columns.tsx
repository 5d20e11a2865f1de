import { createColumnHelper, tableFeatures } from "@tanstack/react-table";
import { Link } from "react-router";
import type { Role, User } from "../../api/types";
import { accountStatus, markOf, presenceOf } from "../../lib/presence";
import { texts } from "../../texts";
import { Ago, PresenceMark, StatusMark, Words } from "../../ui/Presence";
import { RowActions } from "./actions/RowActions";
import type { Sort } from "./query";
import classes from "./UserList.module.css";

export const features = tableFeatures({});
const column = createColumnHelper<typeof features, User>();

/** How a column's heading sorts: the first press, and the second. */
export const headingSorts: Record<string, [Sort, Sort?]> = {
  presence: ["online"],
  name: ["username", "-username"],
  seen: ["-last_seen", "last_seen"],
};

export interface Shown {
  myId: number;
  /** False where the list is so old that nobody's presence is certain. */
  certain: boolean;
}

export const columnsFor = ({ myId, certain }: Shown) =>
  column.columns([
    column.display({
      id: "presence",
      header: texts.users.columns.presence,
      cell: ({ row }) => <PresenceMark presence={markOf(row.original, certain)} />,
    }),
    column.display({
      id: "name",
      header: texts.users.columns.name,
      cell: ({ row }) => <Name user={row.original} myId={myId} />,
    }),
    column.display({
      id: "role",
      header: texts.users.columns.role,
      cell: ({ row }) => texts.role[row.original.role as Role] ?? row.original.role,
    }),
    column.display({
      id: "status",
      header: texts.users.columns.status,
      cell: ({ row }) => <StatusMark status={accountStatus(row.original)} />,
    }),
    column.display({
      id: "seen",
      header: texts.users.columns.seen,
      cell: ({ row }) => <Seen user={row.original} certain={certain} />,
    }),
    column.display({
      id: "actions",
      header: () => <span className="visually-hidden">{texts.users.columns.actions}</span>,
      cell: ({ row }) => <RowActions user={row.original} myId={myId} />,
    }),
  ]);

export function Name({ user, myId }: { user: User; myId: number }) {
  return (
    <span className={classes.person}>
      <span className={classes.nameLine}>
        <Link to={`/admin/users/${user.id}`} className={classes.name}>
          {user.username}
        </Link>
        {user.id === myId ? <span className={classes.you}>{texts.you}</span> : null}
        {presenceOf(user) === "online" ? <Words text={user.text} emoji={user.emoji} /> : null}
      </span>
      {user.email ? <span className={classes.email}>{user.email}</span> : null}
    </span>
  );
}

export function Seen({ user, certain }: { user: User; certain: boolean }) {
  return <Ago at={user.last_seen} online={certain && presenceOf(user) === "online"} />;
}
