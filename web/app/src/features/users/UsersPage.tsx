import { Title } from "@mantine/core";
import { useCallback, useMemo } from "react";
import { useSearchParams } from "react-router";
import { useNow } from "../../lib/clock";
import { useAdmin } from "../../session/guards";
import { texts } from "../../texts";
import { usePageTitle } from "../../ui/Page";
import { Ago } from "../../ui/Presence";
import { RowMenu } from "./actions/RowMenu";
import { Counts } from "./Counts";
import { freshness } from "./freshness";
import { everyone, fromAddress, toAddress, type Filter } from "./query";
import { StaleBanner } from "./StaleBanner";
import { Toolbar } from "./Toolbar";
import { useConfig, useCounts, useMatching, useRefreshMs, useUsers } from "./useUsers";
import { UserList } from "./UserList";
import classes from "./UserList.module.css";

const DEFAULT_TIMEOUT_MS = 120_000;

export default function UsersPage() {
  usePageTitle(texts.users.title);
  const me = useAdmin();
  const [params, setParams] = useSearchParams();
  const filter = useMemo(() => fromAddress(params), [params]);
  const change = useCallback(
    (part: Partial<Filter>) => setParams((now) => toAddress({ ...fromAddress(now), ...part }), { replace: true }),
    [setParams],
  );

  const list = useUsers(filter);
  const counts = useCounts();
  const matching = useMatching(filter);
  const { stale, uncertain } = useFreshness(list);

  return (
    <>
      <Title order={1} className="visually-hidden">
        {texts.users.title}
      </Title>
      {stale ? (
        <StaleBanner error={list.error} updatedAt={list.dataUpdatedAt} retry={() => void list.refetch()} busy={list.isFetching} />
      ) : null}
      <Counts counts={counts.data} filter={filter} change={change} certain={!uncertain} />
      <Toolbar filter={filter} change={change} />
      <div className={classes.summary}>
        <span role="status">{matching.data ? texts.users.matches(matching.data.total, matching.data.at_least) : ""}</span>
        <span data-testid="updated">{list.dataUpdatedAt && !stale ? <Updated at={list.dataUpdatedAt} /> : null}</span>
      </div>
      <RowMenu myId={me.id}>
        <UserList
          list={list}
          filter={filter}
          change={change}
          clear={() => change(everyone)}
          total={matching.data?.at_least ? undefined : matching.data?.total}
          online={matching.data?.at_least ? undefined : matching.data?.online}
          myId={me.id}
          certain={!uncertain}
        />
      </RowMenu>
    </>
  );
}

function Updated({ at }: { at: number }) {
  return (
    <>
      {texts.users.updated("")}
      <Ago at={at} />
    </>
  );
}

/** Looks at the clock each second, but draws the page again only when the verdict changes. */
function useFreshness(list: ReturnType<typeof useUsers>) {
  const { data: config } = useConfig();
  const refreshMs = useRefreshMs();
  const now = useNow();
  const timeoutMs = config ? config.inactivity_timeout_seconds * 1000 : DEFAULT_TIMEOUT_MS;
  return freshness({ now, updatedAt: list.dataUpdatedAt, failed: list.isError || list.isRefetchError, refreshMs, timeoutMs });
}
