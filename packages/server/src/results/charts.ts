import { escaped } from "./markup.ts";
import { signed } from "./words.ts";

/*
 * Drawings of effects as inline SVG: no script, no style of their own, every colour a class of the page, so that they are right in
 * the light and in the dark and under a strict policy. Each has a title that says the same in words.
 */

/** Whether an effect is good news. */
export type Tone = "good" | "bad" | "open";

export interface ForestRow {
  readonly label: string;
  readonly value: number;
  readonly low: number;
  readonly high: number;
  readonly tone: Tone;
}

const WIDTH = 720;
const LABEL_WIDTH = 220;
const VALUE_WIDTH = 150;
const ROW_HEIGHT = 30;
const PLOT = { from: LABEL_WIDTH, to: WIDTH - VALUE_WIDTH };

/** Effects below each other on one axis, 0 marked. Nothing to draw: nothing drawn. */
export function forestPlot(title: string, rows: readonly ForestRow[]): string {
  if (rows.length === 0) return "";
  const scale = scaleOf(rows, PLOT);
  const height = rows.length * ROW_HEIGHT + 34;
  const base = rows.length * ROW_HEIGHT + 6;
  const lines = rows.map((row, index) => forestLine(row, index * ROW_HEIGHT + ROW_HEIGHT / 2, scale));
  const marks = scale.ticks.map(
    (tick) =>
      `<line class="grid" x1="${at(scale.x(tick))}" y1="0" x2="${at(scale.x(tick))}" y2="${base}"/>` +
      `<text class="tick" x="${at(scale.x(tick))}" y="${base + 18}" text-anchor="middle">${signed(tick)}</text>`,
  );
  return svg({ title, height }, [
    ...marks,
    `<line class="zero" x1="${at(scale.x(0))}" y1="0" x2="${at(scale.x(0))}" y2="${base}"/>`,
    ...lines,
  ]);
}

function forestLine({ label, value, low, high, tone }: ForestRow, y: number, { x }: Scale): string {
  const said = `${label}: ${signed(value)}, ${signed(low)} to ${signed(high)}`;
  const short = label.length > 34 ? `${label.slice(0, 33)}…` : label;
  return (
    `<g class="${tone}"><title>${escaped(said)}</title>` +
    `<text class="label" x="0" y="${y + 4}">${escaped(short)}</text>` +
    `<line class="reach" x1="${at(x(low))}" y1="${y}" x2="${at(x(high))}" y2="${y}"/>` +
    `<circle class="point" cx="${at(x(value))}" cy="${y}" r="5"/>` +
    `<text class="value" x="${WIDTH}" y="${y + 4}" text-anchor="end">${signed(value)}</text></g>`
  );
}

export interface DayPoint {
  readonly day: string;
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

const CHART = { top: 12, bottom: 170, left: 70, right: WIDTH - 12 };

/** An effect as it added up day by day, its interval as a band. */
export function timeSeries(title: string, points: readonly DayPoint[]): string {
  const [first] = points;
  const last = points.at(-1);
  if (first === undefined || last === undefined || points.length < 2) return "";
  const scale = scaleOf(points, { from: CHART.bottom, to: CHART.top });
  const startMs = Date.parse(first.day);
  const spanMs = Date.parse(last.day) - startMs;
  const across = (day: string): number => CHART.left + ((Date.parse(day) - startMs) / spanMs) * (CHART.right - CHART.left);
  const path = (of: (point: DayPoint) => number, list: readonly DayPoint[]): string =>
    list.map((point) => `${at(across(point.day))},${at(scale.x(of(point)))}`).join(" ");
  const band = `${path((point) => point.high, points)} ${path((point) => point.low, [...points].reverse())}`;
  const marks = scale.ticks.map(
    (tick) =>
      `<line class="grid" x1="${CHART.left}" y1="${at(scale.x(tick))}" x2="${CHART.right}" y2="${at(scale.x(tick))}"/>` +
      `<text class="tick" x="${CHART.left - 8}" y="${at(scale.x(tick) + 4)}" text-anchor="end">${signed(tick)}</text>`,
  );
  return svg({ title, height: 200 }, [
    ...marks,
    `<polygon class="band" points="${band}"/>`,
    `<line class="zero" x1="${CHART.left}" y1="${at(scale.x(0))}" x2="${CHART.right}" y2="${at(scale.x(0))}"/>`,
    `<polyline class="course" points="${path((point) => point.value, points)}"/>`,
    `<text class="tick" x="${CHART.left}" y="192">${first.day}</text>`,
    `<text class="tick" x="${CHART.right}" y="192" text-anchor="end">${last.day}</text>`,
  ]);
}

interface Scale {
  readonly x: (value: number) => number;
  readonly ticks: readonly number[];
}

/** From values to places, 0 always among them. An interval many times wider than the others is cut at the edge. */
function scaleOf(
  rows: readonly { readonly value: number; readonly low: number; readonly high: number }[],
  { from, to }: { readonly from: number; readonly to: number },
): Scale {
  const reaches = rows.map(({ low, high }) => Math.max(Math.abs(low), Math.abs(high))).sort((a, b) => a - b);
  const typical = reaches[Math.floor((reaches.length - 1) / 2)] ?? 0;
  const limit = Math.max(5 * typical, ...rows.map(({ value }) => 1.2 * Math.abs(value)));
  const cut = (value: number): number => Math.max(-limit, Math.min(limit, value));
  const low = Math.min(0, ...rows.map((row) => cut(row.low)));
  const high = Math.max(0, ...rows.map((row) => cut(row.high)));
  const margin = (high - low) * 0.06 || 0.01;
  const [start, end] = [low - margin, high + margin];
  return {
    x: (value) => from + ((Math.max(start, Math.min(end, value)) - start) / (end - start)) * (to - from),
    ticks: ticksOf(start, end),
  };
}

/** Three to six round numbers. */
function ticksOf(start: number, end: number): number[] {
  const rough = (end - start) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10) * power;
  const first = Math.ceil(start / step);
  const last = Math.floor(end / step);
  return Array.from({ length: last - first + 1 }, (_, index) => (first + index) * step);
}

function svg({ title, height }: { readonly title: string; readonly height: number }, parts: readonly string[]): string {
  const name = escaped(title);
  return `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${name}"><title>${name}</title>${parts.join("")}</svg>`;
}

const at = (place: number): string => place.toFixed(1);
