import type { VirtualItem } from "@tanstack/react-virtual";
import { texts } from "../../texts";
import { accountStatus, markOf, presenceOf } from "../../lib/presence";
import { PresenceMark, StatusMark } from "../../ui/Presence";
import { RowActions } from "./actions/RowActions";
import { Name, Seen, type Shown } from "./columns";
import type { Row } from "./rows";
import { countWord } from "./UserTable";
import classes from "./UserList.module.css";

interface Props extends Shown {
  rows: Row[];
  items: VirtualItem[];
  height: number;
  offset: number;
  sectionCounts: Record<string, number | undefined>;
}

/** The narrow form of the list. */
export function UserCards({ rows, items, height, offset, sectionCounts, myId, certain }: Props) {
  return (
    <div role="list" aria-label={texts.users.table} className={classes.list}>
      <div role="presentation" className={classes.body} style={{ height }}>
        {items.map((item) => {
          const row = rows[item.index];
          if (!row) return null;
          const style = { transform: `translateY(${item.start - offset}px)` };
          if (row.kind === "section") {
            return (
              <div role="listitem" key={row.key} className={classes.section} style={style}>
                {texts.users.sections[row.presence]}
                <b>{countWord(sectionCounts[row.presence])}</b>
              </div>
            );
          }
          const { user } = row;
          const status = accountStatus(user);
          return (
            <div role="listitem" key={row.key} className={classes.card} style={style} data-user={user.username}>
              <Name user={user} myId={myId} />
              <PresenceMark presence={markOf(user, certain)} />
              <div className={classes.cardLine}>
                {status === "active" ? null : <StatusMark status={status} />}
                {user.role === "admin" ? <span>{texts.role.admin}</span> : null}
                {presenceOf(user) === "offline" || !certain ? <Seen user={user} certain={certain} /> : null}
                <span className={classes.cardActions}>
                  <RowActions user={user} myId={myId} />
                </span>
              </div>
            </div>
          );
        })}
      </div>
    </div>
  );
}
