/* What a release did, measured against the units it kept out: questions to the event store, and what their answers say. Pure. */
import type {
  EffectDecay,
  EpochMs,
  FrozenMetric,
  HoldoutPeriod,
  KeptOutReport,
  ReleaseHoldout,
  Stated,
  StatedEffect,
} from "@belay/protocol";
import { SPACE_PPM } from "@belay/protocol";
import { andThen, type Decay, effectDecay, ok, type Result } from "@belay/stats";
import { type Refusal, refuse } from "../control/decision.ts";
import { type ByEpoch, NOBODY, sumsOf } from "../results/cells.ts";
import { estimateEffect } from "../results/estimate.ts";
import { metricQueryOf } from "../results/question.ts";
import type { EnvironmentState, ProjectState, ReleaseDocument } from "../state/workspace.ts";
import { type Aggregate, type AggregateRequest, HELD_OUT, REST } from "../store/events/index.ts";
import { ppmOf } from "./plan.ts";

export interface Period {
  readonly fromMs: EpochMs;
  readonly untilMs: EpochMs;
}

/** Since when everybody but those kept out has a release; or why there is no such moment. */
export function heldOutSince(key: string, release: ReleaseDocument): EpochMs | Refusal {
  const { state, stages, epochs, holdoutPercentage } = release;
  const last = epochs.findLast(({ stage }) => stage === stages.length - 1);
  if (last === undefined || (state !== "full" && state !== "done")) {
    return refuse("release_state", { key, state, command: "holdout", allowed: ["full", "done"] });
  }
  if (holdoutPercentage > 0) return Date.parse(last.from);
  const reason = "the release keeps nobody out";
  return refuse("invalid_field", { field: "holdoutPercentage", received: holdoutPercentage, reason });
}

const DAY_MS = 86_400_000;

/** Periods of so many days that are over; longer ones where there would be more than `max`. */
export function periodsSince(
  fromMs: EpochMs,
  nowMs: EpochMs,
  { days, max }: { readonly days: number; readonly max: number },
): Period[] {
  const wanted = Math.ceil((nowMs - fromMs) / max / DAY_MS);
  const length = DAY_MS * Math.max(days, wanted);
  const count = Math.max(0, Math.floor((nowMs - fromMs) / length));
  return Array.from({ length: count }, (_, at) => ({ fromMs: fromMs + at * length, untilMs: fromMs + (at + 1) * length }));
}

/**
 * The units of a period: whoever was seen in it, from then on. Those kept out lie at the end of the flag's line, so the store
 * is asked about the others as the ones below a share.
 */
export function questionOf(
  project: ProjectState,
  environment: string,
  release: ReleaseDocument,
  { metric, period, nowMs }: { readonly metric: FrozenMetric; readonly period: Period; readonly nowMs: EpochMs },
): AggregateRequest {
  const salt = project.flags.get(release.flag)?.body.spaces.share.salt ?? "";
  return {
    project: project.key,
    environment,
    subject: { holdout: { salt, share: ppmOf(release, release.stages.length - 1) } },
    ...period,
    asOfMs: nowMs,
    segments: [],
    metrics: [metricQueryOf(metric, {})],
  };
}

const ALPHA = 0.05;
/** The store's names of either side of the share, which are those of a holdout at the beginning of a line. */
const SIDES = { rest: HELD_OUT, heldOut: REST } as const;

export function periodEffect(metric: FrozenMetric, { fromMs, untilMs }: Period, aggregate: Aggregate): HoldoutPeriod {
  const sums = sumsOf(aggregate, metric);
  const of = (side: string): ByEpoch => sums.get(side) ?? NOBODY;
  const { absolute, relative } = estimateEffect(metric, { control: of(SIDES.heldOut), treatment: of(SIDES.rest) }, ALPHA);
  const units = (side: string): number =>
    aggregate.arms.filter(({ variant }) => variant === side).reduce((sum, arm) => sum + arm.units, 0);
  return {
    from: new Date(fromMs).toISOString(),
    to: new Date(untilMs).toISOString(),
    heldOut: units(SIDES.heldOut),
    rest: units(SIDES.rest),
    absolute,
    relative,
  };
}

/** How the effect wears off over periods that are over, by days since the first of them began. */
export function decayOf(periods: readonly HoldoutPeriod[]): Stated<EffectDecay> {
  const [first] = periods;
  const start = first === undefined ? 0 : Date.parse(first.from);
  const points = periods.flatMap(({ from, to, absolute }) =>
    absolute.status === "ok"
      ? [
          {
            time: ((Date.parse(from) + Date.parse(to)) / 2 - start) / DAY_MS,
            value: absolute.value,
            variance: absolute.standardError ** 2,
          },
        ]
      : [],
  );
  const decay: Result<Decay> = effectDecay(points, { alpha: ALPHA });
  return andThen(decay, ({ initial, latest, rate, interval, halfLife, pValue }) =>
    ok({
      ...{ initial, latest, ratePerDay: rate, interval, pValue },
      ...(halfLife === undefined ? {} : { halfLifeDays: halfLife }),
    }),
  );
}

/** Releases of an environment that everybody has and that kept units out, of flags with a tag where one is given; the newest first. */
export function keepingOut(
  { flags }: ProjectState,
  { releases }: EnvironmentState,
  tag: string | undefined,
): readonly { readonly key: string; readonly body: ReleaseDocument; readonly fromMs: EpochMs }[] {
  const found = [...releases].flatMap(([key, { body }]) => {
    const fromMs = heldOutSince(key, body);
    const isAsked = tag === undefined || flags.get(body.flag)?.body.tags.includes(tag) === true;
    return typeof fromMs === "number" && isAsked ? [{ key, body, fromMs }] : [];
  });
  return found.sort((a, b) => b.fromMs - a.fromMs || (a.key < b.key ? -1 : 1));
}

/** Absolute effects added up; what could not be measured takes no part. */
export function addedUp(effects: readonly Stated<StatedEffect>[]): KeptOutReport["together"] {
  const known = effects.flatMap((effect) => (effect.status === "ok" ? [effect] : []));
  return {
    releases: known.length,
    value: known.reduce((sum, { value }) => sum + value, 0),
    standardError: Math.sqrt(known.reduce((sum, { standardError }) => sum + standardError ** 2, 0)),
  };
}

/** Percent of the flag's line that the last stage leaves out. */
export function keptOutPercentage(release: ReleaseDocument): ReleaseHoldout["percentage"] {
  return (100 * (SPACE_PPM - ppmOf(release, release.stages.length - 1))) / SPACE_PPM;
}
