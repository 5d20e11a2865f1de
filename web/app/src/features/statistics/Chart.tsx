// The one place that knows the chart library. Loaded when the first chart is drawn.

import { useComputedColorScheme } from "@mantine/core";
import { useElementSize } from "@mantine/hooks";
import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { ticks } from "../../lib/zone";
import { compact } from "../../texts-admin";
import classes from "./Chart.module.css";
import { alone, type Drawn } from "./series";

export interface Line {
  /** A colour of the page, such as `--online`. */
  color: string;
  dash?: number[];
  width?: number;
  filled?: boolean;
  /** Filled down to the line before it, where there is one. */
  stacked?: boolean;
  bars?: boolean;
}

export interface Props {
  drawn: Drawn;
  lines: Line[];
  from: number;
  to: number;
  zone: string;
  height: number;
  /** What is written along the time. */
  tick: (ms: number) => string;
  /** What is said of a point where it is pointed at, a line each. */
  point: (source: number) => string[];
  mark?: { at: number; value: number; text: string } | undefined;
}

const FONT = '12px Inter, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif';
/** Room that a time along the axis takes. */
const TICK_PX = 52;
/** What of the last one may not lie beyond the chart. */
const TICK_HALF_PX = 22;
const RIGHT_PX = 12;
const DRAG_SLOP_PX = 4;
const SERIES_STEPS = [1, 2, 5].flatMap((each) => Array.from({ length: 10 }, (_, power) => each * 10 ** power)).sort((a, b) => a - b);

/** Lines, areas or bars over time. Decoration: the words and the table beside it say the same. */
export default function Chart(props: Props) {
  const { ref, width } = useElementSize();
  const scheme = useComputedColorScheme("light");
  const holder = useRef<HTMLDivElement>(null);
  const { drawn, lines, from, to, zone, height } = props;
  const latest = useRef(props);
  latest.current = props;
  // What a chart is made of; with other numbers the same chart is drawn anew.
  const kind = JSON.stringify([lines, zone, height, scheme]);
  const plot = useRef<uPlot | null>(null);

  useEffect(() => {
    if (!holder.current || width === 0) return;
    const made = new uPlot(options(holder.current, latest, width), latest.current.drawn.columns as uPlot.AlignedData, holder.current);
    plot.current = made;
    return () => {
      plot.current = null;
      made.destroy();
    };
    // The width alone is set below.
  }, [kind, width === 0]);

  useEffect(() => {
    if (width > 0) plot.current?.setSize({ width, height });
  }, [width, height]);

  useEffect(() => {
    const chart = plot.current;
    if (!chart) return;
    chart.batch(() => {
      chart.setData(drawn.columns as uPlot.AlignedData, false);
      chart.setScale("x", { min: from / 1000, max: to / 1000 });
    });
  }, [drawn, from, to]);

  return (
    <div ref={ref} className={classes.chart} style={{ height }} aria-hidden="true">
      <div ref={holder} />
    </div>
  );
}

type Latest = { current: Props };

function options(holder: HTMLElement, latest: Latest, width: number): uPlot.Options {
  const { lines, from, to, height } = latest.current;
  const color = (name: string) => resolved(holder, name);
  const [quiet, grid] = [color("--quiet"), color("--line")];
  const axis = { stroke: quiet, font: FONT, ticks: { show: false }, grid: { stroke: grid, width: 1 } };
  const tip = document.createElement("div");
  tip.className = classes.tip ?? "";

  return {
    width,
    height,
    padding: [18, RIGHT_PX, 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      drag: { x: false, y: false },
      points: { size: 8, width: 2, stroke: color("--raised"), fill: (_, index) => color(lines[index - 1]?.color ?? "--quiet") },
    },
    scales: {
      x: { time: true, range: (chart, min, max) => (Number.isFinite(min) ? [min, max] : [chart.scales.x?.min ?? 0, chart.scales.x?.max ?? 1]), min: from / 1000, max: to / 1000 },
      y: { range: (_, __, max) => [0, Math.max(1, max ?? 0, latest.current.mark?.value ?? 0) * 1.08] },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        size: 26,
        gap: 6,
        splits: (chart) => {
          const { from, to, zone } = latest.current;
          const room = chart.bbox.width / devicePixelRatio;
          const last = to - ((TICK_HALF_PX - RIGHT_PX) / room) * (to - from);
          const found = ticks(from, to, zone, Math.max(2, Math.floor(room / TICK_PX)));
          return found.filter((ms) => ms <= last).map((ms) => ms / 1000);
        },
        values: (_, splits) => splits.map((second) => latest.current.tick(second * 1000)),
      },
      {
        ...axis,
        incrs: SERIES_STEPS,
        space: 36,
        gap: 8,
        size: (chart, values) => Math.ceil(Math.max(0, ...(values ?? []).map((text) => measured(chart, text)))) + 14,
        values: (_, splits) => splits.map(compact),
      },
    ],
    bands: lines.flatMap((line, index) => (line.stacked && index > 0 ? [{ series: [index + 1, index] as [number, number] }] : [])),
    series: [
      {},
      ...lines.map((line, index) => series(line, color(line.color), index)),
    ],
    hooks: {
      init: [(chart) => void (chart.over.append(tip), followTouch(chart))],
      setCursor: [(chart) => showTip(chart, tip, latest.current)],
      draw: [(chart) => drawMark(chart, latest.current, color("--mantine-color-text"), color("--raised"))],
    },
  };
}

function series(line: Line, color: string, index: number): uPlot.Series {
  const faint = color.replace(/^rgb\((.*)\)$/, `rgba($1, ${line.stacked ? 0.34 : 0.14})`);
  return {
    stroke: color,
    width: line.bars ? 0 : (line.width ?? 2),
    ...(line.dash ? { dash: line.dash.map((length) => length * devicePixelRatio) } : {}),
    ...(line.bars ? { paths: uPlot.paths.bars?.({ size: [0.72, 40] }), fill: color } : line.filled || line.stacked ? { fill: faint } : {}),
    points: { show: false, size: 5, width: 0, fill: color, filter: (chart) => (line.bars ? null : alone(Array.from(chart.data[index + 1] ?? []))) },
  };
}

/** A colour of the page as the canvas takes it. */
function resolved(holder: HTMLElement, name: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  holder.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

function measured(chart: uPlot, text: string): number {
  chart.ctx.save();
  chart.ctx.font = FONT;
  const { width } = chart.ctx.measureText(text);
  chart.ctx.restore();
  return width;
}

/** A finger that moves along the chart points at what is under it; up and down it scrolls the page. */
function followTouch(chart: uPlot) {
  let begin = 0;
  const point = (event: PointerEvent) => {
    const { left, top } = chart.over.getBoundingClientRect();
    chart.setCursor({ left: event.clientX - left, top: event.clientY - top });
  };
  chart.over.addEventListener("pointerdown", (event) => {
    begin = event.clientX;
    if (event.pointerType !== "mouse") point(event);
  });
  chart.over.addEventListener("pointermove", (event) => {
    if (event.pointerType !== "mouse" && Math.abs(event.clientX - begin) > DRAG_SLOP_PX) point(event);
  });
}

function showTip(chart: uPlot, tip: HTMLElement, { drawn, point }: Props) {
  const { idx, left = -1 } = chart.cursor;
  const source = idx === null || idx === undefined || left < 0 ? -1 : (drawn.source[idx] ?? -1);
  tip.hidden = source < 0;
  if (source < 0) return;
  tip.replaceChildren(
    ...point(source).map((text) => {
      const line = document.createElement("div");
      line.textContent = text;
      return line;
    }),
  );
  const room = chart.over.clientWidth;
  const beside = left + 14 + tip.offsetWidth > room ? left - 14 - tip.offsetWidth : left + 14;
  tip.style.left = `${Math.max(0, Math.min(beside, room - tip.offsetWidth))}px`;
}

/** A ring and some words, within the chart. */
function drawMark(chart: uPlot, { mark }: Props, ink: string, ground: string) {
  if (!mark) return;
  const { ctx, bbox } = chart;
  const dpr = devicePixelRatio;
  const [x, y] = [chart.valToPos(mark.at / 1000, "x", true), chart.valToPos(mark.value, "y", true)];
  if (x < bbox.left || x > bbox.left + bbox.width) return;
  ctx.save();
  ctx.beginPath();
  ctx.arc(x, y, 4 * dpr, 0, 2 * Math.PI);
  ctx.fillStyle = ground;
  ctx.strokeStyle = ink;
  ctx.lineWidth = 2 * dpr;
  ctx.fill();
  ctx.stroke();
  ctx.font = FONT.replace("12px", `600 ${12 * dpr}px`);
  ctx.fillStyle = ink;
  ctx.textBaseline = "bottom";
  ctx.textAlign = "left";
  const { width } = ctx.measureText(mark.text);
  const left = Math.max(bbox.left, Math.min(x - width / 2, bbox.left + bbox.width - width));
  ctx.fillText(mark.text, left, y - 8 * dpr);
  ctx.restore();
}
