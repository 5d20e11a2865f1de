import { Title } from "@mantine/core";
import { useCallback, useEffect, useMemo, useState } from "react";
import { useSearchParams } from "react-router";
import { browserZone } from "../../lib/zone";
import { statistics as words } from "../../texts-admin";
import { usePageTitle } from "../../ui/Page";
import { Active } from "./Active";
import { Availability } from "./Availability";
import { Heat } from "./Heat";
import { Now } from "./Now";
import { Logins, OnlineOverTime } from "./OnlineCharts";
import { Platforms } from "./Platforms";
import { fromAddress, toAddress, type View } from "./range";
import { Sessions } from "./Sessions";
import classes from "./Statistics.module.css";
import { Toolbar } from "./Toolbar";
import { useOnline } from "./useStatistics";

export default function StatisticsPage() {
  usePageTitle(words.title);
  const [ownZone] = useState(browserZone);
  const [view, change] = useView(ownZone);
  const online = useOnline(view);

  return (
    <>
      <Title order={1} className="visually-hidden">
        {words.title}
      </Title>
      <Now />
      <Toolbar view={view} ownZone={ownZone} change={change} />
      <div className={classes.grid}>
        <OnlineOverTime view={view} query={online} />
        <Availability view={view} />
        <Logins view={view} query={online} />
        <Sessions view={view} />
        <Heat view={view} />
        <Platforms view={view} />
        <Active days={view.days} change={(days) => change({ ...view, days })} />
      </div>
    </>
  );
}

/** What is shown stands in the address, so that a link shows the same. */
function useView(ownZone: string): [View, (view: View) => void] {
  const [params, setParams] = useSearchParams();
  const view = useMemo(() => fromAddress(params, ownZone), [params, ownZone]);
  const change = useCallback((next: View) => setParams(toAddress(next), { replace: true }), [setParams]);
  const whole = toAddress(view).toString() === params.toString();
  useEffect(() => {
    if (!whole) change(view);
  }, [whole, change, view]);
  return [view, change];
}
