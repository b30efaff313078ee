/**
 * Units of a release one by one, in bounded memory: what each is, what else it was exposed to, and what guardrails counted of it.
 * Read in this order, each once:
 *
 *   exposures of the release ──> units, each in its first arm
 *   exposures of what else was live ──> units that are in both
 *   events of the guardrails ──> what each unit did after its exposure
 *
 * Where there are more than are remembered, a random half of them is, or a quarter: those whose hash is low. Which ones depends on
 * the units alone, so that the same events leave the same ones.
 */
import { murmur3 } from "@belay/core";
import type { AttributePath, EpochMs, Guardrail } from "@belay/protocol";
import { passes, readValue } from "../../metrics/selection.ts";
import type { Epoch } from "../guardrails.ts";
import type { Placement } from "../placement.ts";
import { sourceOf } from "../source.ts";
import { attributeText } from "./attribute-text.ts";
import type { EventRow } from "./replay.ts";

/** A unit with what is known of it. */
export interface KnownUnit {
  /** As it was first told, control 0. */
  readonly arm: number;
  /** Which of the release's epochs it was first exposed in. */
  readonly epoch: number;
  readonly at: EpochMs;
  /** Values of the segments, in their order. */
  readonly values: readonly string[];
  /** What each guardrail counted of it, in their order; of failures 1. */
  readonly outcomes: (number | undefined)[];
  readonly both: BothExposures[];
}

/** A unit that something else was told of too. */
export interface BothExposures {
  /** Which of the others. */
  readonly other: number;
  /** Its arm there, control 0. */
  readonly arm: number;
  /** When it had been exposed to both. */
  readonly at: EpochMs;
  /** Guardrails that counted it from then on. */
  readonly counted: Set<number>;
}

export interface KnownUnitsOptions {
  readonly segments: readonly AttributePath[];
  readonly guardrails: readonly Guardrail[];
  readonly placement: Placement;
  readonly epochs: readonly Epoch[];
  /** Units remembered at most. Default 100,000, some 40 MB. */
  readonly unitsMax?: number;
}

const UNITS_MAX = 100_000;
const HASHES = 2 ** 32;

export class KnownUnits {
  readonly #options: KnownUnitsOptions;
  readonly #selections: readonly ReturnType<typeof sourceOf>["selection"][];
  readonly #units = new Map<string, KnownUnit>();
  /** Units whose hash is below it are remembered. */
  #limit = HASHES;

  constructor(options: KnownUnitsOptions) {
    this.#options = options;
    this.#selections = options.guardrails.map(({ measure }) => sourceOf(measure).selection);
  }

  /** Share of all units that is remembered: 1, or a power of one half. */
  get share(): number {
    return this.#limit / HASHES;
  }

  get units(): Iterable<KnownUnit> {
    return this.#units.values();
  }

  /** An exposure of the release. @param arm as it was told, control 0; negative: none of the release's */
  expose({ unit, receivedAt, attributes }: EventRow, arm: number): void {
    if (arm < 0 || this.#units.has(unit) || hashOf(unit) >= this.#limit) return;
    const values = this.#options.segments.map((path) => attributeText(attributes ?? {}, path));
    this.#units.set(unit, { arm, epoch: this.#epochAt(receivedAt), at: receivedAt, values, outcomes: [], both: [] });
    while (this.#units.size > (this.#options.unitsMax ?? UNITS_MAX)) this.#forgetHalf();
  }

  /** An exposure of something else. @param arm as there; negative: none of its */
  meet({ unit, receivedAt }: EventRow, other: number, arm: number): void {
    const known = this.#units.get(unit);
    if (known === undefined || arm < 0 || known.both.some((one) => one.other === other)) return;
    known.both.push({ other, arm, at: Math.max(known.at, receivedAt), counted: new Set() });
  }

  /** An event of a guardrail's name. */
  hear(row: EventRow, guardrail: number): void {
    const [known, selection, options] = [this.#units.get(row.unit), this.#selections[guardrail], this.#options];
    if (known === undefined || selection === undefined || row.receivedAt < known.at || !passes(selection, row)) return;
    const measure = options.guardrails[guardrail]?.measure;
    const value = measure?.kind === "values" ? readValue(selection, row) : 1;
    if (value === undefined || !this.#isStill(row, known.arm)) return;
    known.outcomes[guardrail] ??= measure?.kind === "values" ? Math.min(value, measure.cap) : value;
    for (const { at, counted } of known.both) if (row.receivedAt >= at) counted.add(guardrail);
  }

  /** Does the release give a unit what it was first told? Control comes to be treated when everybody is. */
  #isStill({ unit, receivedAt }: EventRow, arm: number): boolean {
    const { placement, epochs } = this.#options;
    const contrast = placement.contrasts[Math.max(0, arm - 1)];
    const side = contrast?.sideOf(placement.markOf(unit), epochs[this.#epochAt(receivedAt)]?.ppm ?? 0);
    return side !== undefined && side.isTreated === arm > 0;
  }

  #epochAt(at: EpochMs): number {
    return Math.max(
      0,
      this.#options.epochs.findLastIndex(({ from }) => from <= at),
    );
  }

  #forgetHalf(): void {
    this.#limit /= 2;
    for (const unit of this.#units.keys()) if (hashOf(unit) >= this.#limit) this.#units.delete(unit);
  }
}

/** Of no space of any flag: which units are remembered has nothing to do with their arms. */
function hashOf(unit: string): number {
  return murmur3(`log:${unit}`) >>> 0;
}
