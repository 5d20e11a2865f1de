import { Title } from "@mantine/core";
import { useEffect, useRef, useState } from "react";
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

/** What is shown stands in the address, so that a link shows the same. The address follows, a moment later; so one change does
 *  not undo the one just before. */
function useView(ownZone: string): [View, (view: View) => void] {
  const [params, setParams] = useSearchParams();
  const [view, change] = useState(() => fromAddress(params, ownZone));
  const said = params.toString();
  const written = useRef(said);
  const onTheWay = useRef(new Set<string>());
  useEffect(() => {
    const next = toAddress(view);
    if (next.toString() === written.current) return;
    written.current = next.toString();
    onTheWay.current.add(written.current);
    setParams(next, { replace: true });
  }, [view, setParams]);
  useEffect(() => {
    if (said === written.current) {
      onTheWay.current.clear();
    } else if (!onTheWay.current.has(said)) {
      // Somebody else has led here: a link, or the way back.
      written.current = said;
      change(fromAddress(new URLSearchParams(said), ownZone));
    }
  }, [said, ownZone]);
  return [view, change];
}
