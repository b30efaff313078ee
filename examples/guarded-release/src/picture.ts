import { FLAGS, type FlagKey } from "./flags.ts";
import type { Look, Story } from "./story.ts";

/*
 *   evidence of harm, by its logarithm      ── 100: taken back ── 20: held
 *   share of visitors, one line a shop
 *   ───────────────────────────────────▶ seconds since the start
 */

const WIDTH = 860;
const HEIGHT = 500;
const LEFT = 64;
const RIGHT = WIDTH - 110;
const EVIDENCE: Panel = { top: 56, bottom: 236 };
const SHARE: Panel = { top: 284, bottom: 444 };
const EVIDENCE_MIN = 0.01;
const EVIDENCE_MAX = 1_000;

interface Panel {
  readonly top: number;
  readonly bottom: number;
}

interface Point {
  readonly atMs: number;
  readonly y: number;
}

/** Evidence and exposure over time, as one SVG for the light and the dark. */
export function picture({ looks, rollback }: Story): string {
  const endMs = looks.at(-1)?.atMs ?? 1;
  const x = (atMs: number): number => LEFT + (atMs / endMs) * (RIGHT - LEFT);
  const shareMax = Math.max(0.1, ...looks.flatMap(({ shares }) => FLAGS.flatMap((flag) => shares[flag])));
  const ofShare = (share: number): number => SHARE.bottom - (share / shareMax) * (SHARE.bottom - SHARE.top);
  const line = (className: string, points: readonly Point[]): string =>
    `<polyline class="${className}" points="${points.map(({ atMs, y }) => `${at(x(atMs))},${at(y)}`).join(" ")}"/>`;
  // Nobody watches a release that went back: what is known of its last point is that it was enough.
  const enough = { atMs: rollback.decidedAtMs, y: ofEvidence(100) };
  const evidence = FLAGS.map((flag) =>
    line(`${flag} strong`, [...evidencePoints(looks, flag), ...(flag === "checkout" ? [enough] : [])]),
  );
  const shares = FLAGS.flatMap((flag) =>
    (looks[0]?.shares[flag] ?? []).map((_, shop) =>
      line(
        flag,
        looks.map((look) => ({ atMs: look.atMs, y: ofShare(look.shares[flag][shop] ?? 0) })),
      ),
    ),
  );
  const title = "Evidence of harm and exposure of a release that is taken back, and of its healthy twin";
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${title}"><title>${title}</title>`,
    `<style>${STYLE}</style>${ground()}`,
    heading("Evidence of harm", EVIDENCE),
    ...[0.01, 0.1, 1, 1_000].map((value) => ruler("grid", ofEvidence(value), String(value))),
    ruler("limit", ofEvidence(20), "20", "held"),
    ruler("limit", ofEvidence(100), "100", "taken back"),
    ...evidence,
    heading("Share of each shop's visitors who get the new version", SHARE),
    ...marks(shareMax).map((share) => ruler("grid", ofShare(share), `${Math.round(100 * share)} %`)),
    ...shares,
    ...[EVIDENCE, SHARE].map(({ top, bottom }) => moment(x(rollback.offAtMs), top, bottom)),
    ...seconds(endMs).map(
      (atMs) => `<text class="tick" x="${at(x(atMs))}" y="${SHARE.bottom + 18}" text-anchor="middle">${atMs / 1_000} s</text>`,
    ),
    legend(),
    "</svg>\n",
  ].join("\n");
}

/** Reaches far beyond the picture: where that is a page of its own, what lies around it is not left white in the dark. */
function ground(): string {
  return `<rect class="ground" x="${-10 * WIDTH}" y="${-10 * HEIGHT}" width="${21 * WIDTH}" height="${21 * HEIGHT}"/>`;
}

const STYLE = `svg{--ground:#fff;--text:#1c2430;--quiet:#5c6675;--line:#d9dee6;--bad:#b3261e;--good:#11734b}
@media(prefers-color-scheme:dark){svg{--ground:#12161c;--text:#e6eaf0;--quiet:#9aa5b4;--line:#2c3440;--bad:#ff8a80;--good:#5fcf9d}}
text{font:13px system-ui,sans-serif;fill:var(--text);font-variant-numeric:tabular-nums}.ground{fill:var(--ground)}
.tick{font-size:11px;fill:var(--quiet)}.heading{font-weight:600}.grid{stroke:var(--line)}
.limit{stroke:var(--quiet);stroke-dasharray:5 4}.moment{stroke:var(--quiet);stroke-width:1.5}
polyline{fill:none;stroke-width:1.3;stroke-linejoin:round}.strong{stroke-width:2.4}
.checkout{stroke:var(--bad)}.search{stroke:var(--good)}`;

function evidencePoints(looks: readonly Look[], flag: FlagKey): Point[] {
  return looks.flatMap(({ atMs, evidence: { [flag]: value } }) => (value === undefined ? [] : [{ atMs, y: ofEvidence(value) }]));
}

function ofEvidence(value: number): number {
  const [low, high] = [Math.log(EVIDENCE_MIN), Math.log(EVIDENCE_MAX)];
  const place = (Math.log(Math.min(EVIDENCE_MAX, Math.max(EVIDENCE_MIN, value))) - low) / (high - low);
  return EVIDENCE.bottom - place * (EVIDENCE.bottom - EVIDENCE.top);
}

function heading(text: string, { top }: Panel): string {
  return `<text class="heading" x="${LEFT}" y="${top - 14}">${text}</text>`;
}

function ruler(className: string, y: number, label: string, meaning = ""): string {
  return (
    `<line class="${className}" x1="${LEFT}" y1="${at(y)}" x2="${RIGHT}" y2="${at(y)}"/>` +
    `<text class="tick" x="${LEFT - 8}" y="${at(y + 4)}" text-anchor="end">${label}</text>` +
    `<text class="tick" x="${RIGHT + 8}" y="${at(y + 4)}">${meaning}</text>`
  );
}

function moment(place: number, top: number, bottom: number): string {
  return `<line class="moment" x1="${at(place)}" y1="${top}" x2="${at(place)}" y2="${bottom}"/>`;
}

function marks(most: number): number[] {
  const step = most > 0.3 ? 0.1 : 0.05;
  return Array.from({ length: Math.floor(most / step) + 1 }, (_, index) => index * step);
}

function seconds(endMs: number): number[] {
  const step = [1_000, 2_000, 5_000, 10_000].find((each) => endMs / each <= 10) ?? 20_000;
  return Array.from({ length: Math.floor(endMs / step) + 1 }, (_, index) => index * step);
}

function legend(): string {
  return `<text x="${LEFT}" y="${HEIGHT - 14}"><tspan style="fill:var(--bad)">checkout: 5 times the failed orders</tspan><tspan dx="24" style="fill:var(--good)">search: no harm</tspan><tspan dx="24" class="tick">the upright line: all three shops have acknowledged the rollback</tspan></text>`;
}

function at(place: number): string {
  return place.toFixed(1);
}
