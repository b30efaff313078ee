/**
 * What a release's guardrails know, event by event. A unit's arm is where it falls in the flag's own spaces, not what it was
 * told (`placement.ts`): so of a plain flag everybody who is not treated is control, whether or not anybody recorded it, and under
 * no harm the arm of a failing unit is a coin whose bias is the share, whatever the base rate does. Of an experiment each treatment
 * is judged by itself: harm in one arm does not hide behind the others.
 *
 *   acknowledged event ── unit known? ── placed on the line ── counted: O(1)
 *   flush ── evidence of each guardrail ── verdict: quiet, pause, rollback
 *
 * Every measure counts a unit once, so that events seen twice (a rebuild overlaps with what arrives meanwhile, two servers see
 * the same unit) change nothing. So watches of several servers tell each other what they counted, and each knows all of it.
 */
import { type EpochMs, type Guardrail, type MetricEvent, type Ppm, type Revision, SPACE_PPM } from "@belay/protocol";
import { guardrailVerdict, type Result, srmSequence } from "@belay/stats";
import { passes, readValue } from "../metrics/selection.ts";
import type { GuardrailFact } from "./facts.ts";
import { FailureCount } from "./failure-count.ts";
import type { Placement } from "./placement.ts";
import { PROMOTION_EVIDENCE } from "./promotion.ts";
import type { LastHeard, SeenEvent, SeenExposure, Sighting, UnitMark } from "./sighting.ts";
import { type Source, sourceOf } from "./source.ts";
import { UnitSet } from "./unit-set.ts";
import { ValueCount } from "./value-count.ts";

/** When something was counted: whole hours since the start, and how units were shared out then. */
export interface Moment {
  readonly hour: number;
  /** Of the units that are compared, those treated. */
  readonly share: number;
  /** Share of everybody that the release moved then: of a plain flag the same, of an experiment who is in it. */
  readonly reach: number;
}

/** How one measure counts. */
export interface Tally {
  readonly note: (isTreated: boolean, value: number, at: Moment) => void;
  /** Evidence of harm since the start. */
  readonly evidence: () => Result<{ logE: number }>;
  /** Evidence that the harm is below the margin, from the units at one reach alone. */
  readonly promotion: (reach: number) => Result<{ logE: number }>;
  /** How many times the units at one reach it takes until promotion can be expected, if nothing is wrong. */
  readonly horizon: (reach: number) => Result<{ times: number }>;
}

/** A stretch of time with one share. */
export interface Epoch {
  readonly from: EpochMs;
  readonly ppm: Ppm;
  /** What exposures of this epoch carry. */
  readonly revision: Revision;
}

export interface WatchOptions {
  readonly placement: Placement;
  readonly guardrails: readonly Guardrail[];
  /** Oldest first; the first one is the start. */
  readonly epochs: readonly Epoch[];
  /** Units remembered in a generation, for each guardrail and for exposures. Default 100,000. */
  readonly unitsMax?: number;
  /** Told of all that is counted here, save what other watches told. `isUrgent`: it may be evidence of harm. */
  readonly onSighting?: (sighting: Sighting, isUrgent: boolean) => void;
}

/** What a watch knows at a flush. */
export interface Reading {
  readonly guardrails: readonly GuardrailFact[];
  /** Treated units first exposed in the present epoch. */
  readonly units: number;
  readonly isMismatched: boolean;
  readonly exposuresAt?: EpochMs;
  readonly metricsAt?: EpochMs;
}

const HOUR_MS = 3_600_000;
const UNITS_MAX = 100_000;
const DAY_MS = 24 * HOUR_MS;

interface Watched {
  readonly guardrail: Guardrail;
  /** One for each contrast, in their order. */
  readonly tallies: readonly Tally[];
  readonly seen: UnitSet;
  lastEventAt?: EpochMs;
}

/** What guardrails of one source have in common: the same events, and so the same units. */
interface Spring extends Source {
  readonly watched: Watched[];
}

/** A metric event as it was acknowledged, or as a pull gives it back. */
export interface HeardEvent extends Pick<MetricEvent, "name" | "unit" | "value"> {
  readonly properties?: NonNullable<MetricEvent["properties"]> | null;
}

/** The watch over one release. */
export class ReleaseWatch {
  readonly #placement: Placement;
  readonly #watched: readonly Watched[];
  /** By name of the source. */
  readonly #springs = new Map<string, Spring>();
  readonly #byEvent = new Map<string, Spring[]>();
  /** What may move the release, each guardrail once for each treatment: they share the chance of one false rollback. */
  readonly #judging: number;
  readonly #exposed: UnitSet;
  readonly #onSighting: WatchOptions["onSighting"];
  /** Units first exposed in an epoch by the arm they were told, control first. */
  readonly #arms = new Map<Revision, number[]>();
  #epochs: readonly Epoch[];
  #mismatch = 0;
  #exposuresAt: EpochMs | undefined;
  #metricsAt: EpochMs | undefined;

  constructor({ placement, guardrails, epochs, unitsMax = UNITS_MAX, onSighting }: WatchOptions) {
    const { contrasts } = placement;
    this.#placement = placement;
    this.#onSighting = onSighting;
    this.#epochs = epochs;
    this.#exposed = new UnitSet(unitsMax);
    this.#judging = contrasts.length * guardrails.filter(({ dryRun }) => dryRun !== true).length;
    this.#watched = guardrails.map((guardrail) => ({
      guardrail,
      tallies: contrasts.map(() => tallyOf(guardrail)),
      seen: new UnitSet(unitsMax),
    }));
    for (const each of this.#watched) {
      const source = sourceOf(each.guardrail.measure);
      const known = this.#springs.get(source.name);
      if (known !== undefined) known.watched.push(each);
      else this.#springs.set(source.name, { ...source, watched: [each] });
    }
    for (const spring of this.#springs.values()) {
      const event = spring.selection.name;
      this.#byEvent.set(event, [...(this.#byEvent.get(event) ?? []), spring]);
    }
  }

  /** Names of the metric events it listens to. */
  get events(): readonly string[] {
    return [...this.#byEvent.keys()];
  }

  /** The share changed: what comes from now on is counted apart. */
  follow(epochs: readonly Epoch[]): void {
    this.#epochs = epochs;
  }

  /** Some metric event of the environment was acknowledged. @returns whether a guardrail counted it. */
  noteMetric(event: HeardEvent, at: EpochMs): boolean {
    this.#metricsAt = later(this.#metricsAt, at);
    let mark: UnitMark | undefined;
    let isCounted = false;
    for (const { name, selection } of this.#byEvent.get(event.name) ?? []) {
      if (!passes(selection, event)) continue;
      mark ??= this.#placement.markOf(event.unit);
      const value = readValue(selection, event);
      const seen: SeenEvent = { kind: "event", name, unit: mark, ...(value === undefined ? {} : { value }), at };
      const counted = this.#count(seen);
      if (counted.length === 0) continue;
      isCounted = true;
      this.#onSighting?.(seen, counted.some(isOfFailures));
    }
    return isCounted;
  }

  /** A first exposure of this release was acknowledged. @param arm as the unit was told, control 0 */
  noteExposure({ unit, epoch }: { readonly unit: string; readonly epoch: Revision }, arm: number, at: EpochMs): void {
    const seen: SeenExposure = { kind: "exposure", epoch, unit: this.#placement.markOf(unit), arm, at };
    if (this.#expose(seen)) this.#onSighting?.(seen, false);
  }

  /** Another server's watch counted something. @returns whether a guardrail counted it here too. */
  noteSighting(sighting: Sighting): boolean {
    if (sighting.kind === "event") {
      this.#metricsAt = later(this.#metricsAt, sighting.at);
      return this.#count(sighting).length > 0;
    }
    if (sighting.kind === "exposure") {
      this.#expose(sighting);
      return false;
    }
    const { exposuresAt, metricsAt, events } = sighting;
    if (exposuresAt !== undefined) this.#exposuresAt = later(this.#exposuresAt, exposuresAt);
    if (metricsAt !== undefined) this.#metricsAt = later(this.#metricsAt, metricsAt);
    for (const [name, at] of Object.entries(events)) {
      for (const watched of this.#springs.get(name)?.watched ?? []) watched.lastEventAt = later(watched.lastEventAt, at);
    }
    return false;
  }

  /** When it heard of anything last. */
  get heard(): LastHeard {
    const events = [...this.#springs].flatMap(
      ([
        name,
        {
          watched: [first],
        },
      ]) => (first?.lastEventAt === undefined ? [] : [[name, first.lastEventAt] as const]),
    );
    return {
      kind: "heard",
      ...(this.#exposuresAt === undefined ? {} : { exposuresAt: this.#exposuresAt }),
      ...(this.#metricsAt === undefined ? {} : { metricsAt: this.#metricsAt }),
      events: Object.fromEntries(events),
    };
  }

  /** Judges everything: what a flush calls. Cost: guardrails x hours. */
  read(): Reading {
    const present = this.#epochs.at(-1);
    return {
      guardrails: this.#watched.map((watched) => this.#judge(watched)),
      units: (this.#arms.get(present?.revision ?? -1) ?? []).slice(1).reduce((sum, count) => sum + count, 0),
      isMismatched: this.#isMismatched(),
      ...(this.#exposuresAt === undefined ? {} : { exposuresAt: this.#exposuresAt }),
      ...(this.#metricsAt === undefined ? {} : { metricsAt: this.#metricsAt }),
    };
  }

  /** The guardrails for which the unit is new. One that is in no arm is new still when it comes into one. */
  #count({ name, unit, value, at }: SeenEvent): Guardrail[] {
    const { ppm } = this.#epochAt(at);
    const sides = this.#placement.contrasts.map(({ sideOf }) => sideOf(unit, ppm));
    const isCompared = sides.some((side) => side !== undefined);
    const counted: Guardrail[] = [];
    for (const watched of this.#springs.get(name)?.watched ?? []) {
      const { guardrail, seen, tallies } = watched;
      watched.lastEventAt = later(watched.lastEventAt, at);
      const isUsable = isOfFailures(guardrail) || value !== undefined;
      if (!isCompared || !isUsable || !seen.add(unit.id)) continue;
      for (const [index, tally] of tallies.entries()) {
        const side = sides[index];
        if (side === undefined) continue;
        tally.note(side.isTreated, value ?? 0, { hour: this.#hourOf(at), share: side.share, reach: ppm / SPACE_PPM });
      }
      counted.push(guardrail);
    }
    return counted;
  }

  /** Whether the unit is new in its epoch. */
  #expose({ epoch, unit, arm, at }: SeenExposure): boolean {
    this.#exposuresAt = later(this.#exposuresAt, at);
    if (arm < 0 || arm > this.#placement.contrasts.length || !this.#exposed.add(`${epoch} ${unit.id}`)) return false;
    const arms = this.#arms.get(epoch) ?? [0, ...this.#placement.contrasts.map(() => 0)];
    arms[arm] = (arms[arm] ?? 0) + 1;
    this.#arms.set(epoch, arms);
    return true;
  }

  /** The treatment with most evidence of harm speaks for the guardrail; harmless it is only where each of them is. */
  #judge({ guardrail, tallies, lastEventAt }: Watched): GuardrailFact {
    const { contrasts } = this.#placement;
    const reach = (this.#epochs.at(-1)?.ppm ?? 0) / SPACE_PPM;
    const judged = tallies.map((tally, index) => ({ logE: logEOf(tally.evidence()) ?? 0, ...contrasts[index] }));
    const worst = judged.reduce((most, one) => (one.logE > most.logE ? one : most));
    const promotions = tallies.map((tally) => logEOf(tally.promotion(reach)));
    const isTold = promotions.every((logE) => logE !== undefined);
    const isNonInferior = isTold && promotions.every((logE = 0) => logE >= PROMOTION_EVIDENCE);
    const daysToTell = isNonInferior ? 0 : this.#daysToTell(tallies.map((tally) => tally.horizon(reach)));
    const guardrails = guardrail.dryRun === true ? contrasts.length : this.#judging;
    return {
      metric: guardrail.metric,
      verdict: guardrailVerdict({ logE: worst.logE, guardrails }),
      logE: worst.logE,
      ...(isTold ? { isNonInferior } : {}),
      ...(daysToTell === undefined ? {} : { daysToTell }),
      ...(lastEventAt === undefined ? {} : { lastEventAt }),
      ...(worst.treatment === undefined ? {} : { treatment: worst.treatment }),
    };
  }

  /** At the pace of the stage so far; in its first hour none can be read off. */
  #daysToTell(horizons: readonly Result<{ times: number }>[]): number | undefined {
    const seenMs = (this.#metricsAt ?? 0) - (this.#epochs.at(-1)?.from ?? 0);
    const times = horizons.flatMap((one) => (one.status === "ok" ? [one.times] : []));
    if (seenMs < HOUR_MS || times.length < horizons.length) return undefined;
    return (Math.max(0, ...times.map((one) => one - 1)) * seenMs) / DAY_MS;
  }

  /** The sizes of the arms are watched over all epochs together, for ever. */
  #isMismatched(): boolean {
    const epochs = this.#epochs.flatMap(({ revision, ppm }) => {
      const [counts, weights] = [this.#arms.get(revision), this.#placement.sizesAt(ppm)];
      return counts === undefined || weights.length === 0 ? [] : [{ counts, weights }];
    });
    if (epochs.length === 0) return false;
    const sequence = srmSequence(epochs, { logEBefore: this.#mismatch });
    if (sequence.status !== "ok") return false;
    this.#mismatch = sequence.logEMax;
    return sequence.alarm;
  }

  #epochAt(at: EpochMs): Epoch {
    return this.#epochs.findLast(({ from }) => from <= at) ?? this.#epochs[0] ?? { from: at, ppm: 0, revision: 0 };
  }

  /** Whole hours since the start. */
  #hourOf(at: EpochMs): number {
    return Math.max(0, Math.floor((at - (this.#epochs[0]?.from ?? at)) / HOUR_MS));
  }
}

function logEOf(evidence: Result<{ logE: number }>): number | undefined {
  return evidence.status === "ok" ? evidence.logE : undefined;
}

function isOfFailures({ measure }: Guardrail): boolean {
  return measure.kind === "failures";
}

function tallyOf(guardrail: Guardrail): Tally {
  const { measure } = guardrail;
  return measure.kind === "failures" ? new FailureCount(guardrail) : new ValueCount(guardrail, measure);
}

function later(known: EpochMs | undefined, at: EpochMs): EpochMs {
  return known === undefined ? at : Math.max(known, at);
}
