import { UnstyledButton } from "@mantine/core";
import type { AccountStatus, Counts as Numbers } from "../../api/types";
import { number, texts } from "../../texts";
import { OnlineFigure } from "../../ui/OnlineFigure";
import type { Filter } from "./query";
import { statuses } from "./query";
import classes from "./Counts.module.css";

interface Props {
  counts: Numbers | undefined;
  filter: Filter;
  change: (filter: Partial<Filter>) => void;
  certain: boolean;
}

/** How many are online, large; and how the accounts stand. Each number is a filter, too. */
export function Counts({ counts, filter, change, certain }: Props) {
  const onlineOnly = filter.presence === "online";
  return (
    <section className={classes.counts} aria-label={texts.users.onlineNow}>
      <UnstyledButton
        className={classes.online}
        aria-pressed={onlineOnly}
        onClick={() => change({ presence: onlineOnly ? null : "online" })}
      >
        <OnlineFigure counts={counts} certain={certain} testId="online-count" />
      </UnstyledButton>
      <div className={classes.statuses} role="group" aria-label={texts.users.byStatus}>
        {statuses.map((status) => (
          <UnstyledButton
            key={status}
            className={classes.status}
            aria-pressed={filter.status === status}
            onClick={() => change({ status: filter.status === status ? null : status })}
          >
            <Figure status={status} counts={counts} />
          </UnstyledButton>
        ))}
        <span className={classes.status}>
          <Figure status="inactive" counts={counts} />
        </span>
      </div>
    </section>
  );
}

function Figure({ status, counts }: { status: AccountStatus; counts: Numbers | undefined }) {
  return (
    <>
      <b>{counts ? number(counts.by_status[status] ?? 0) : "–"}</b>
      <span>{texts.status[status]}</span>
    </>
  );
}
