/* How well a project learns, as one page: each figure with its target, and the cases behind it. */
import type { LearningCase, LearningReport, PlaceInCode, ShareFigure, SpanFigure } from "@belay/protocol";
import { moment, span } from "../releases/log/words.ts";
import { pageText } from "../releases/page.ts";
import { escaped, section, table } from "../results/markup.ts";
import { count, percent, plain, signed } from "../results/words.ts";

interface Part {
  readonly title: string;
  readonly value: string;
  /** What it should not exceed, or fall short of; absent: it has none. */
  readonly target?: string;
  readonly about: string;
  readonly tone: "good" | "bad" | "open";
  readonly unit: (value: number) => string;
  readonly cases: readonly LearningCase[];
  /** HTML already. */
  readonly more?: string;
}

/** Of figures with a target. In words too: nothing is told by a colour alone. */
const STANDINGS = { good: "met", bad: "missed", open: "not measured yet" } as const;

export function learningPage(report: LearningReport): string {
  const { project, from, to } = report;
  const parts = partsOf(report);
  const missed = parts.filter(({ tone }) => tone === "bad").length;
  const met = parts.filter(({ tone }) => tone === "good").length;
  return pageText({
    title: `${project}: learning`,
    kicker: `${project} · ${moment(from)} to ${moment(to)}`,
    headline: headlineOf(missed, met, parts.filter(({ target }) => target !== undefined).length),
    lead: "Every figure has the cases it is made of below it.",
    tone: missed > 0 ? "bad" : met > 0 ? "good" : "open",
    parts: [
      section(
        "At a glance",
        table(
          ["Figure", "Value", "Target", "Standing", "About"],
          parts.map(({ title, value, target, about, tone }) => [
            escaped(title),
            escaped(value),
            escaped(target ?? "none"),
            target === undefined ? "" : `<span class="${tone}">${STANDINGS[tone]}</span>`,
            escaped(about),
          ]),
        ),
      ),
      ...parts.map(({ title, value, target, about, more = "", cases, unit }) => {
        const aim = target === undefined ? "" : ` Target: ${target}.`;
        return section(title, `<p><b>${escaped(value)}</b> ${escaped(about)}${escaped(aim)}</p>`, more, casesOf(cases, unit));
      }),
    ],
  });
}

/** Where nothing was measured nothing is praised. */
function headlineOf(missed: number, met: number, all: number): string {
  if (missed > 0) return `${missed} of ${all} figures with a target missed it`;
  return met > 0 ? "Nothing missed its target" : "Nothing with a target was measured yet";
}

function partsOf({
  deployments,
  rollbacks,
  coverage,
  insight,
  turnaround,
  calibration,
  exposures,
  flagDebt,
}: LearningReport): Part[] {
  const { reasons } = flagDebt;
  const scored = calibration.teams.reduce((sum, { predictions }) => sum + predictions, 0);
  const named = Object.entries(reasons).filter(([, flags]) => flags > 0);
  return [
    {
      title: "Deployment frequency",
      value: `${Number(deployments.perWeek.toPrecision(2))} releases a week`,
      about: `${count(deployments.started)} started.`,
      tone: "open",
      unit: plain,
      cases: deployments.cases,
    },
    spanPart("Rollback speed", rollbacks),
    sharePart("Monitoring coverage", coverage),
    spanPart("Insight speed", insight),
    spanPart("Decision turnaround", turnaround),
    {
      title: "Prediction calibration",
      value: scored === 1 ? "1 prediction scored" : `${count(scored)} predictions scored`,
      about: `of ${count(calibration.cases.length)}. Intervals should hold as often as they claim.`,
      tone: "open",
      unit: signed,
      cases: calibration.cases,
      more: table(
        ["Team", "Predictions", "Inside", "Claimed", "Mean interval score"],
        calibration.teams.map(({ team, predictions, coverage: inside, claimed, meanIntervalScore }) => [
          escaped(team === "" ? "nobody named" : team),
          count(predictions),
          percent(inside),
          percent(claimed),
          plain(meanIntervalScore),
        ]),
      ),
    },
    sharePart("Exposure data quality", exposures),
    {
      title: "Flag debt",
      value: `${count(flagDebt.stale)} of ${count(flagDebt.flags)} flags are stale`,
      about: named.length === 0 ? "" : `${named.map(([reason, flags]) => `${reason} ${flags}`).join(", ")}.`,
      tone: "open",
      unit: plain,
      cases: flagDebt.cases,
    },
  ];
}

function spanPart(title: string, { count: measured, p50, p90, target, withinTarget, cases }: SpanFigure): Part {
  const shared = { title, target: `p90 at most ${span(target)}`, unit: span, cases };
  const about = `${count(withinTarget)} of ${count(measured)} within the target.`;
  if (p50 === undefined || p90 === undefined) return { ...shared, value: "nothing measured", about, tone: "open" };
  return { ...shared, value: `p50 ${span(p50)}, p90 ${span(p90)}`, about, tone: p90 <= target ? "good" : "bad" };
}

function sharePart(title: string, { count: parts, share, target, cases }: ShareFigure): Part {
  const about = parts === 1 ? "over 1 case." : `over ${count(parts)} cases.`;
  const shared = { title, target: target === 1 ? whole(target) : `at least ${whole(target)}`, about, unit: percent, cases };
  if (share === undefined) return { ...shared, value: "nothing to measure", tone: "open" };
  return { ...shared, value: whole(share), tone: share >= target ? "good" : "bad" };
}

/** 100 %, without digits that say nothing. */
function whole(share: number): string {
  return percent(share).replace(/\.0(?=\s)/, "");
}

function casesOf(cases: readonly LearningCase[], unit: (value: number) => string): string {
  return table(
    ["Case", "When", "Value", "Note"],
    cases.map(({ kind, key, environment, href, at, value, note = "", places = [] }) => [
      `<a href="${escaped(href)}">${escaped(key)}</a> <small>${escaped(environment === undefined ? kind : `${kind} in ${environment}`)}</small>`,
      at === undefined ? "" : escaped(moment(at)),
      value === undefined ? "" : escaped(unit(value)),
      [note, ...placeLines(places)].map(escaped).join("<br>"),
    ]),
  );
}

const PLACES_SHOWN = 5;

/** `shop: src/checkout.ts:12`, and how many more there are. */
function placeLines(places: readonly PlaceInCode[]): string[] {
  const shown = places.slice(0, PLACES_SHOWN).map(({ repository, file, line }) => `${repository}: ${file}:${line}`);
  return places.length > PLACES_SHOWN ? [...shown, `and ${places.length - PLACES_SHOWN} more`] : shown;
}
