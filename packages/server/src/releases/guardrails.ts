/**
 * What a release's guardrails know, event by event. A unit's arm is where it falls on the flag's own line, not what it was
 * told: so everybody who is not treated is control, whether or not anybody recorded it, and under no harm the arm of a
 * failing unit is a coin whose bias is the share, whatever the base rate does.
 *
 *   acknowledged event ── unit known? ── placed on the line ── counted: O(1)
 *   flush ── evidence of each guardrail ── verdict: quiet, pause, rollback
 *
 * Every measure counts a unit once, so that events seen twice (a rebuild overlaps with what arrives meanwhile, two servers see
 * the same unit) change nothing. So watches of several servers tell each other what they counted, and each knows all of it.
 */
import { murmur3 } from "@belay/core";
import { type EpochMs, type Guardrail, type Ppm, type Revision, SPACE_PPM } from "@belay/protocol";
import { guardrailVerdict, type Result, srmSequence } from "@belay/stats";
import type { GuardrailFact } from "./facts.ts";
import { FailureCount } from "./failure-count.ts";
import type { LastHeard, SeenEvent, SeenExposure, Sighting, UnitMark } from "./sighting.ts";
import { UnitSet } from "./unit-set.ts";
import { ValueCount } from "./value-count.ts";

/** When something was counted: whole hours since the start, and the share of units that were treated then. */
export interface Moment {
  readonly hour: number;
  readonly share: number;
}

/** How one measure counts. */
export interface Tally {
  readonly note: (isTreated: boolean, value: number, at: Moment) => void;
  /** Evidence of harm since the start. */
  readonly evidence: () => Result<{ logE: number }>;
  /** Evidence that the harm is below the margin, from the units at one share alone. */
  readonly promotion: (share: number) => Result<{ logE: number }>;
}

/** A stretch of time with one share. */
export interface Epoch {
  readonly from: EpochMs;
  readonly ppm: Ppm;
  /** What exposures of this epoch carry. */
  readonly revision: Revision;
}

export interface WatchOptions {
  /** Of the flag's share space. */
  readonly salt: string;
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
/** Evidence that lets a stage be left: 1 in 20, for each guardrail; it is never divided. */
const PROMOTION_EVIDENCE = Math.log(20);

interface Watched {
  readonly guardrail: Guardrail;
  readonly tally: Tally;
  readonly seen: UnitSet;
  lastEventAt?: EpochMs;
}

/** The watch over one release. */
export class ReleaseWatch {
  readonly #salt: string;
  readonly #watched: readonly Watched[];
  readonly #byEvent = new Map<string, Watched[]>();
  /** Guardrails that may move the release: they share the chance of one false rollback. */
  readonly #judging: number;
  readonly #exposed: UnitSet;
  readonly #onSighting: WatchOptions["onSighting"];
  readonly #arms = new Map<Revision, { treated: number; control: number }>();
  #epochs: readonly Epoch[];
  #mismatch = 0;
  #exposuresAt: EpochMs | undefined;
  #metricsAt: EpochMs | undefined;

  constructor({ salt, guardrails, epochs, unitsMax = UNITS_MAX, onSighting }: WatchOptions) {
    this.#salt = salt;
    this.#onSighting = onSighting;
    this.#epochs = epochs;
    this.#exposed = new UnitSet(unitsMax);
    this.#judging = guardrails.filter(({ dryRun }) => dryRun !== true).length;
    this.#watched = guardrails.map((guardrail) => ({ guardrail, tally: tallyOf(guardrail), seen: new UnitSet(unitsMax) }));
    for (const each of this.#watched) {
      const { event } = each.guardrail.measure;
      this.#byEvent.set(event, [...(this.#byEvent.get(event) ?? []), each]);
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
  noteMetric(
    { name, unit, value }: { readonly name: string; readonly unit: string; readonly value?: number },
    at: EpochMs,
  ): boolean {
    this.#metricsAt = later(this.#metricsAt, at);
    if (!this.#byEvent.has(name)) return false;
    const seen: SeenEvent = { kind: "event", name, unit: this.#markOf(unit), ...(value === undefined ? {} : { value }), at };
    const counted = this.#count(seen);
    if (counted.length > 0) this.#onSighting?.(seen, counted.some(isOfFailures));
    return counted.length > 0;
  }

  /** A first exposure of this release was acknowledged. */
  noteExposure({ unit, epoch }: { readonly unit: string; readonly epoch: Revision }, isTreated: boolean, at: EpochMs): void {
    const seen: SeenExposure = { kind: "exposure", epoch, unit: this.#markOf(unit), isTreated, at };
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
      for (const watched of this.#byEvent.get(name) ?? []) watched.lastEventAt = later(watched.lastEventAt, at);
    }
    return false;
  }

  /** When it heard of anything last. */
  get heard(): LastHeard {
    const events = [...this.#byEvent].flatMap(([name, [watched]]) =>
      watched?.lastEventAt === undefined ? [] : [[name, watched.lastEventAt] as const],
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
      units: this.#arms.get(present?.revision ?? -1)?.treated ?? 0,
      isMismatched: this.#isMismatched(),
      ...(this.#exposuresAt === undefined ? {} : { exposuresAt: this.#exposuresAt }),
      ...(this.#metricsAt === undefined ? {} : { metricsAt: this.#metricsAt }),
    };
  }

  /** The guardrails for which the unit is new. */
  #count({ name, unit: { id, point }, value, at }: SeenEvent): Guardrail[] {
    const counted: Guardrail[] = [];
    for (const watched of this.#byEvent.get(name) ?? []) {
      const { guardrail, seen, tally } = watched;
      watched.lastEventAt = later(watched.lastEventAt, at);
      const isUsable = isOfFailures(guardrail) || value !== undefined;
      if (!isUsable || !seen.add(id)) continue;
      const epoch = this.#epochAt(at);
      tally.note(point < epoch.ppm, value ?? 0, this.#momentOf(epoch, at));
      counted.push(guardrail);
    }
    return counted;
  }

  /** Whether the unit is new in its epoch. */
  #expose({ epoch, unit, isTreated, at }: SeenExposure): boolean {
    this.#exposuresAt = later(this.#exposuresAt, at);
    if (!this.#exposed.add(`${epoch} ${unit.id}`)) return false;
    const arms = this.#arms.get(epoch) ?? { treated: 0, control: 0 };
    arms[isTreated ? "treated" : "control"] += 1;
    this.#arms.set(epoch, arms);
    return true;
  }

  #judge({ guardrail, tally, lastEventAt }: Watched): GuardrailFact {
    const evidence = tally.evidence();
    const logE = evidence.status === "ok" ? evidence.logE : 0;
    const promotion = tally.promotion((this.#epochs.at(-1)?.ppm ?? 0) / SPACE_PPM);
    return {
      metric: guardrail.metric,
      verdict: guardrailVerdict({ logE, guardrails: guardrail.dryRun === true ? 1 : this.#judging }),
      logE,
      ...(promotion.status === "ok" ? { isNonInferior: promotion.logE >= PROMOTION_EVIDENCE } : {}),
      ...(lastEventAt === undefined ? {} : { lastEventAt }),
    };
  }

  /** Arms grow from both ends, equal up to half: their sizes are watched over all epochs together, for ever. */
  #isMismatched(): boolean {
    const epochs = this.#epochs.flatMap(({ revision, ppm }) => {
      const arms = this.#arms.get(revision);
      const control = Math.min(ppm, SPACE_PPM - ppm);
      return arms === undefined || control === 0 ? [] : [{ counts: [arms.treated, arms.control], weights: [ppm, control] }];
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

  #momentOf({ ppm }: Epoch, at: EpochMs): Moment {
    const start = this.#epochs[0]?.from ?? at;
    return { hour: Math.max(0, Math.floor((at - start) / HOUR_MS)), share: ppm / SPACE_PPM };
  }

  #markOf(unit: string): UnitMark {
    return markOf(this.#salt, unit);
  }
}

/** Where a unit falls on the line of a salt, 0 to 999,999. */
export function pointOf(salt: string, unit: string): number {
  return Math.floor(((murmur3(salt + unit) >>> 0) * SPACE_PPM) / 0x1_0000_0000);
}

/** What a unit goes by among watches: by it nobody reads its name, and two of a million units share one once in 37 million times. */
export function markOf(salt: string, unit: string): UnitMark {
  const half = (prefix: string): string => (murmur3(`${prefix}${salt}${unit}`) >>> 0).toString(36);
  return { point: pointOf(salt, unit), id: `${half("a")}.${half("b")}` };
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
