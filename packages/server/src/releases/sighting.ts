import type { EpochMs, Json, Revision } from "@belay/protocol";

/**
 * What a watch counted, as it tells it the watches of other servers. A unit goes by its mark, not by its name: enough to
 * count it once, whoever saw it.
 */
export type Sighting = SeenEvent | SeenExposure | LastHeard;

/** The first metric event of a unit that a source chose. */
export interface SeenEvent {
  readonly kind: "event";
  /** Of the source: see `source.ts`. */
  readonly name: string;
  readonly unit: UnitMark;
  readonly value?: number;
  readonly at: EpochMs;
}

/** The first exposure of a unit in an epoch. */
export interface SeenExposure {
  readonly kind: "exposure";
  readonly epoch: Revision;
  readonly unit: UnitMark;
  /** The arm it was told: control 0, then the treatments. */
  readonly arm: number;
  readonly at: EpochMs;
}

/** When anything was heard last, also of units that were counted before. */
export interface LastHeard {
  readonly kind: "heard";
  readonly exposuresAt?: EpochMs;
  readonly metricsAt?: EpochMs;
  /** By name of the source. */
  readonly events: { readonly [name: string]: EpochMs };
}

/** Where a unit falls on the flag's line, 0 to 999,999, and what tells it from others: 64 bits of it. */
export interface UnitMark {
  readonly point: number;
  readonly id: string;
  /** Of an experiment: where it falls in the split, control 0, then the treatments; absent: in no arm. */
  readonly arm?: number;
}

export function toJson(sightings: readonly Sighting[]): Json {
  return sightings as unknown as Json;
}

/** Sightings of a page; what is none of this version's is passed over. */
export function fromJson(body: Json): readonly Sighting[] {
  return Array.isArray(body) ? (body as readonly unknown[]).filter(isSighting) : [];
}

/** When the newest of them was received. */
export function newestOf(sightings: readonly Sighting[]): EpochMs | undefined {
  const times = sightings.flatMap((each) => (each.kind === "heard" ? [] : [each.at]));
  return times.length === 0 ? undefined : times.reduce((latest, at) => Math.max(latest, at));
}

function isSighting(item: unknown): item is Sighting {
  const { kind, unit, at, name, epoch, arm, events } = (item ?? {}) as { [field: string]: unknown };
  if (kind === "heard") return typeof events === "object" && events !== null;
  const { point, id } = (unit ?? {}) as { [field: string]: unknown };
  const isUnit = Number.isSafeInteger(point) && typeof id === "string" && Number.isSafeInteger(at);
  if (!isUnit || kind === "event") return isUnit && typeof name === "string";
  return kind === "exposure" && Number.isSafeInteger(epoch) && Number.isSafeInteger(arm);
}
