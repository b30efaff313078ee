/*
 * The ladder of a release as it was climbed, as inline SVG: no script, no style of its own, every colour a class of the page.
 *
 *   100 % ┤            ┌──────┐
 *    10 % ┤      ┌─────┘      │            rungs at equal heights, whatever their shares
 *     1 % ┤ ─────┘            └──────
 *         └──────────────────────────▶ time          shaded: it held; below: incidents
 */
import type { ExposureStretch, GuardrailRecord, LoggedIncident, ReleaseLog } from "@belay/protocol";
import { escaped } from "../../results/markup.ts";
import { guardrailName, moment } from "./words.ts";

const WIDTH = 720;
const LEFT = 64;
const RIGHT = WIDTH - 16;
const TOP = 16;
const RUNG = 34;
const HOUR_MS = 3_600_000;

interface Span {
  readonly from: number;
  readonly to: number;
}

/** Share of units over time, rung by rung, with the times in which it held and what else was wrong. */
export function ladderChart(log: Pick<ReleaseLog, "release" | "exposure" | "timeline" | "incidents" | "at">): string {
  const { release, exposure, incidents, at } = log;
  const [first] = exposure;
  if (first === undefined) return "";
  const span = spanOf(exposure, at);
  const x = across(span);
  const rungs = [...new Set([0, ...exposure.map(({ percentage }) => percentage)])].sort((a, b) => a - b);
  const bottom = TOP + RUNG * (rungs.length - 1);
  const y = (percentage: number): number => bottom - RUNG * rungs.indexOf(percentage);
  const grid = rungs.map(
    (percentage) =>
      `<line class="grid" x1="${LEFT}" y1="${y(percentage)}" x2="${RIGHT}" y2="${y(percentage)}"/>` +
      `<text class="tick" x="${LEFT - 8}" y="${y(percentage) + 4}" text-anchor="end">${number(percentage)} %</text>`,
  );
  const steps = exposure.flatMap(({ from, to = at, percentage }) => [
    `${place(x(Date.parse(from)))},${y(percentage)}`,
    `${place(x(Date.parse(to)))},${y(percentage)}`,
  ]);
  const bar = (
    className: string,
    title: string,
    { from, to }: Span,
    { top, height }: { top: number; height: number },
  ): string => {
    const [start, end] = [x(Math.max(span.from, from)), x(Math.min(span.to, to))];
    const size = `width="${place(Math.max(2, end - start))}" height="${height}"`;
    return `<rect class="${className}" x="${place(start)}" y="${top}" ${size}><title>${escaped(title)}</title></rect>`;
  };
  const holds = holdsOf(log);
  const legend = [
    ...(holds.length === 0 ? [] : ["shaded: it held"]),
    ...(incidents.length === 0 ? [] : ["red below: an incident"]),
  ];
  const said = exposure.map(({ from, percentage }) => `${number(percentage)} % from ${moment(from)}`).join(", ");
  return svg(`The ladder of ${release}`, said, bottom + (legend.length === 0 ? 34 : 52), [
    ...incidentsOf(incidents, span).map((one) => bar("incident", `Incident: ${one.reason}`, one, { top: bottom + 3, height: 5 })),
    ...holds.map((one) => bar("held", "It held", one, { top: TOP, height: bottom - TOP })),
    ...grid,
    `<polyline class="course" points="${steps.join(" ")}"/>`,
    ...exposure.map((stretch, index) => mark(stretch, exposure[index - 1], { x, y })),
    ...timeTicks(span, bottom),
    ...(legend.length === 0 ? [] : [`<text class="tick" x="${LEFT}" y="${bottom + 44}">${legend.join("; ")}</text>`]),
  ]);
}

/** Evidence of harm over time, by its logarithm, with the two lines at which it holds and goes back. */
export function evidenceChart(
  { looks, ...record }: GuardrailRecord,
  { exposure, at, guardrails }: Pick<ReleaseLog, "exposure" | "at" | "guardrails">,
): string {
  if (looks.length === 0 || exposure.length === 0) return "";
  const judging = Math.max(1, guardrails.filter(({ isDryRun }) => !isDryRun).length);
  const limits = [
    { e: 20, meaning: "holds", below: 13 },
    { e: 100 * judging, meaning: "goes back", below: -5 },
  ];
  const span = spanOf(exposure, at);
  const x = across(span);
  const [low, high] = [-Math.log(1_000), Math.log(100 * judging) + 1];
  const bottom = 150;
  const y = (logE: number): number => bottom - ((Math.min(high, Math.max(low, logE)) - low) / (high - low)) * (bottom - TOP);
  const rulers = [
    ...[0.01, 1].map(
      (e) =>
        `<line class="grid" x1="${LEFT}" y1="${place(y(Math.log(e)))}" x2="${RIGHT}" y2="${place(y(Math.log(e)))}"/>` +
        `<text class="tick" x="${LEFT - 8}" y="${place(y(Math.log(e)) + 4)}" text-anchor="end">${e}</text>`,
    ),
    ...limits.map(
      ({ e, meaning, below }) =>
        `<line class="zero" x1="${LEFT}" y1="${place(y(Math.log(e)))}" x2="${RIGHT}" y2="${place(y(Math.log(e)))}"/>` +
        `<text class="tick" x="${LEFT - 8}" y="${place(y(Math.log(e)) + 4)}" text-anchor="end">${e}</text>` +
        `<text class="tick" x="${LEFT + 4}" y="${place(y(Math.log(e)) + below)}">${meaning}</text>`,
    ),
  ];
  const points = looks.map((look) => ({ ...look, x: x(Date.parse(look.at)), y: y(look.logEvidence) }));
  const last = looks.at(-1) ?? looks[0];
  const said = `${looks.length} ${looks.length === 1 ? "look" : "looks"}; the last one at ${moment(last?.at ?? at)}: evidence ${Math.exp(last?.logEvidence ?? 0).toPrecision(3)}, ${last?.verdict}`;
  return svg(`Evidence of harm to ${guardrailName(record)}`, said, bottom + 34, [
    ...rulers,
    `<polyline class="course" points="${points.map((point) => `${place(point.x)},${place(point.y)}`).join(" ")}"/>`,
    ...points
      .filter(({ verdict }, index) => index === points.length - 1 || verdict !== points[index - 1]?.verdict)
      .map(
        (point) =>
          `<g class="${point.verdict === "quiet" ? "good" : "bad"}"><title>${point.verdict} at ${moment(point.at)}</title>` +
          `<circle class="point" cx="${place(point.x)}" cy="${place(point.y)}" r="4"/></g>`,
      ),
    ...timeTicks(span, bottom),
  ]);
}

function mark(
  { from, percentage, treated, control }: ExposureStretch,
  before: ExposureStretch | undefined,
  { x, y }: { readonly x: (at: number) => number; readonly y: (percentage: number) => number },
): string {
  const isDown = percentage < (before?.percentage ?? 0);
  const title = `${number(percentage)} % from ${moment(from)}: ${treated} treated and ${control} other units first seen`;
  return `<g class="${isDown ? "bad" : "good"}"><title>${title}</title><circle class="point" cx="${place(x(Date.parse(from)))}" cy="${y(percentage)}" r="4"/></g>`;
}

/** When it stood still: from the change that made it hold to the next one. */
function holdsOf({ timeline, at }: Pick<ReleaseLog, "timeline" | "at">): Span[] {
  const own = timeline.filter(({ state }) => state !== undefined);
  return own.flatMap(({ state, at: from }, index) => {
    if (state !== "holding" || own[index - 1]?.state === "holding") return [];
    const next = own.slice(index + 1).find((move) => move.state !== "holding");
    return [{ from: Date.parse(from), to: Date.parse(next?.at ?? at) }];
  });
}

function incidentsOf(incidents: readonly LoggedIncident[], span: Span): (Span & { readonly reason: string })[] {
  return incidents.map(({ reason, from, to }) => ({
    reason,
    from: Date.parse(from),
    to: to === undefined ? span.to : Date.parse(to),
  }));
}

/** From the first share to a little beyond the last one. */
function spanOf(exposure: readonly ExposureStretch[], at: string): Span {
  const from = Date.parse(exposure[0]?.from ?? at);
  const last = exposure.at(-1);
  const end = last?.to ?? at;
  return { from, to: Math.max(from + 1, Date.parse(end)) };
}

function across({ from, to }: Span): (at: number) => number {
  return (at) => LEFT + ((Math.min(to, Math.max(from, at)) - from) / (to - from)) * (RIGHT - LEFT);
}

function timeTicks({ from, to }: Span, bottom: number): string[] {
  return [0, 0.5, 1].map((share) => {
    const at = new Date(from + share * (to - from)).toISOString();
    const anchor = share === 0 ? "start" : share === 1 ? "end" : "middle";
    return `<text class="tick" x="${place(LEFT + share * (RIGHT - LEFT))}" y="${bottom + 22}" text-anchor="${anchor}">${to - from < HOUR_MS ? moment(at).slice(11, 19) : moment(at).slice(5, 16)}</text>`;
  });
}

function svg(title: string, said: string, height: number, parts: readonly string[]): string {
  const [name, words] = [escaped(title), escaped(said)];
  return `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${name}: ${words}"><title>${name}</title><desc>${words}</desc>${parts.join("")}</svg>`;
}

/** 0.5, 25: a percentage without digits it does not need. */
export function number(percentage: number): string {
  return String(Number(percentage.toFixed(4)));
}

const place = (at: number): string => at.toFixed(1);
