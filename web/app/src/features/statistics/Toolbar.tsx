import { ActionIcon, Button, NativeSelect, SegmentedControl } from "@mantine/core";
import { useMemo } from "react";
import { serverNow } from "../../lib/clock";
import { zones } from "../../lib/zone";
import { statistics as words } from "../../texts-admin";
import { BackIcon, ForthIcon } from "../../ui/icons";
import { moved, platforms, ranges, stepsOf, withRange, type Platform, type Range, type View } from "./range";
import classes from "./Toolbar.module.css";
import type { Step } from "../../api/admin-types";

interface Props {
  view: View;
  ownZone: string;
  change: (view: View) => void;
}

/** Which time, of which zone, of whom. */
export function Toolbar({ view, ownZone, change }: Props) {
  const { range, step, zone, platform, to } = view;
  const names = useMemo(() => {
    const all = zones();
    return [...new Set([ownZone, ...all, zone])].map((value) => ({ value, label: value === ownZone ? words.ownZone(value) : value }));
  }, [ownZone, zone]);
  const steps = stepsOf[range];

  return (
    <div className={classes.toolbar} role="group" aria-label={words.view}>
      <SegmentedControl
        className={classes.range}
        aria-label={words.range}
        value={range}
        onChange={(value) => change(withRange(view, value as Range))}
        data={ranges.map((value) => ({ value, label: words.ranges[value] }))}
      />
      <div className={classes.move}>
        <ActionIcon variant="default" size={36} aria-label={words.earlier} title={words.earlier} onClick={() => change(moved(view, -1, serverNow()))}>
          <BackIcon size={16} />
        </ActionIcon>
        <ActionIcon
          variant="default"
          size={36}
          aria-label={words.later}
          title={words.later}
          disabled={to === null}
          onClick={() => change(moved(view, 1, serverNow()))}
        >
          <ForthIcon size={16} />
        </ActionIcon>
        <Button variant="default" px="sm" disabled={to === null} onClick={() => change({ ...view, to: null })}>
          {words.now}
        </Button>
      </div>
      <NativeSelect
        className={classes.select}
        aria-label={words.step}
        disabled={steps.length === 1}
        value={step}
        onChange={(event) => change({ ...view, step: event.currentTarget.value as Step })}
        data={steps.map((value) => ({ value, label: words.steps[value] }))}
      />
      <NativeSelect
        className={classes.select}
        aria-label={words.platform}
        value={platform ?? ""}
        onChange={(event) => change({ ...view, platform: (event.currentTarget.value || null) as Platform | null })}
        data={[{ value: "", label: words.everyPlatform }, ...platforms.map((value) => ({ value, label: words.platforms[value] }))]}
      />
      <NativeSelect
        className={classes.zone}
        aria-label={words.zone}
        value={zone}
        onChange={(event) => change({ ...view, zone: event.currentTarget.value })}
        data={names}
      />
    </div>
  );
}
