/*
 * What the spool holds of a batch: its accepted events by column. Columns are the cheapest form for both sides: half the
 * bytes of a line per event, half the time to write, and the engines unnest lists as fast as they read lines.
 */
import type { ArmLedger, DuplicateTally, EvaluationCount, Exposure, MetricEvent } from "@belay/protocol";
import type { IncomingBatch } from "../event-store.ts";
import { batchMark, type Claim, instanceKey, type Remembered } from "../received.ts";
import { encodeFrame } from "./frame.ts";

/** The payload of one frame. A batch that is large takes several, the last of which has what carries no sequence number. */
export interface BatchFrame {
  /** Arrival number of the first event; the others follow, exposures first. */
  readonly position: number;
  readonly project: string;
  readonly environment: string;
  readonly instance: string;
  readonly sdk: string;
  readonly receivedAtMs: number;
  readonly clockOffsetMs: number;
  readonly batchId: string;
  readonly exposures?: ExposureColumns;
  readonly metrics?: MetricColumns;
  readonly counts?: Columns<EvaluationCount>;
  readonly ledger?: Columns<ArmLedger>;
  readonly duplicates?: Columns<DuplicateTally>;
}

/** Lists of one length, one per property. What is absent is `null` in the JSON. */
type Columns<T> = { readonly [Name in keyof T]-?: T[Name][] };
type ExposureColumns = Columns<Omit<Exposure, "attributes"> & { attributes?: string }>;
type MetricColumns = Columns<Omit<MetricEvent, "properties"> & { properties?: string }>;

export interface EncodedBatch {
  readonly frames: readonly Buffer[];
  readonly accepted: number;
  readonly duplicates: number;
}

/** Writes the events of a batch that its claim finds new as frames, numbered from `position` on. */
export function encodeBatch(batch: IncomingBatch, claim: Claim, position: number): EncodedBatch {
  const frames = new FrameWriter(batch, position);
  const duplicates = new Tallies();
  let metricDuplicates = 0;
  batch.exposures.forEach((exposure, index) => {
    if (claim.take(exposure.seq)) frames.addExposure(exposure, batch.attributes[index]);
    else duplicates.add(exposure, 1);
  });
  batch.metrics.forEach((metric, index) => {
    if (claim.take(metric.seq)) frames.addMetric(metric, batch.properties[index]);
    else metricDuplicates += 1;
  });
  // What comes again from a relay whole brings these again too: they are told, not added up exactly.
  const own = duplicates.total + metricDuplicates;
  for (const tally of batch.duplicates ?? []) duplicates.add(tally, tally.count);
  const hasCounts = batch.counts.length > 0 && claim.takeBatch(batch.batchId);
  frames.addTotals({
    ...(hasCounts ? { counts: countColumns(batch.counts) } : {}),
    ...(batch.ledger.length > 0 ? { ledger: ledgerColumns(batch.ledger) } : {}),
    // Also when only metric events came again: their frame is on the disk no sooner than the events they repeat.
    ...(duplicates.total + metricDuplicates > 0 ? { duplicates: duplicates.columns() } : {}),
  });
  return { frames: frames.end(), accepted: frames.accepted, duplicates: own };
}

/** Sequence numbers of a frame read back. */
export function seqsOf(frame: BatchFrame): readonly number[] {
  return [...(frame.exposures?.seq ?? []), ...(frame.metrics?.seq ?? [])];
}

/** What is to be remembered of a frame read back. */
export function rememberedOf(frame: BatchFrame): Remembered {
  return {
    instance: instanceKey(frame),
    seenAtMs: frame.receivedAtMs,
    seqs: seqsOf(frame).flatMap((seq) => [seq, seq]),
    batches: frame.counts === undefined ? [] : [batchMark(frame.batchId)],
  };
}

/** A frame is ended near this length: the engines read lines of 16 MiB at most, and escapes can make one six times as long. */
const FRAME_CHARS = 1_000_000;
const EVENT_CHARS = 150;

class FrameWriter {
  readonly #frames: Buffer[] = [];
  readonly #head: Omit<BatchFrame, "position">;
  #totals: Pick<BatchFrame, "counts" | "ledger" | "duplicates"> = {};
  #position: number;
  #exposures = emptyExposures();
  #metrics = emptyMetrics();
  #chars = 0;
  accepted = 0;

  constructor(batch: IncomingBatch, position: number) {
    const { project, environment, instance, sdk, receivedAtMs, clockOffsetMs, batchId } = batch;
    this.#head = { project, environment, instance, sdk, receivedAtMs, clockOffsetMs, batchId };
    this.#position = position;
  }

  addExposure(exposure: Exposure, attributes: string | undefined): void {
    const columns = this.#exposures;
    columns.seq.push(exposure.seq);
    columns.timeMs.push(exposure.timeMs);
    columns.flag.push(exposure.flag);
    columns.variant.push(exposure.variant);
    columns.rule.push(exposure.rule);
    columns.experiment.push(exposure.experiment);
    columns.release.push(exposure.release);
    columns.epoch.push(exposure.epoch);
    columns.revision.push(exposure.revision);
    columns.unit.push(exposure.unit);
    columns.differs.push(exposure.differs);
    columns.attributes.push(attributes);
    this.#added(exposure.unit.length + (attributes?.length ?? 0));
  }

  addMetric(metric: MetricEvent, properties: string | undefined): void {
    const columns = this.#metrics;
    columns.seq.push(metric.seq);
    columns.timeMs.push(metric.timeMs);
    columns.name.push(metric.name);
    columns.unit.push(metric.unit);
    columns.value.push(metric.value);
    columns.properties.push(properties);
    this.#added(metric.name.length + metric.unit.length + (properties?.length ?? 0));
  }

  addTotals(totals: Pick<BatchFrame, "counts" | "ledger" | "duplicates">): void {
    this.#totals = totals;
  }

  end(): readonly Buffer[] {
    if (this.#exposures.seq.length + this.#metrics.seq.length + Object.keys(this.#totals).length > 0) this.#endFrame();
    return this.#frames;
  }

  #added(chars: number): void {
    this.accepted += 1;
    this.#chars += EVENT_CHARS + chars;
    if (this.#chars >= FRAME_CHARS) this.#endFrame();
  }

  #endFrame(): void {
    const exposures = this.#exposures;
    const metrics = this.#metrics;
    const frame: BatchFrame = {
      position: this.#position,
      ...this.#head,
      ...(exposures.seq.length > 0 ? { exposures } : {}),
      ...(metrics.seq.length > 0 ? { metrics } : {}),
      ...this.#totals,
    };
    this.#frames.push(encodeFrame(wellFormed(JSON.stringify(frame))));
    this.#position += exposures.seq.length + metrics.seq.length;
    this.#totals = {};
    this.#exposures = emptyExposures();
    this.#metrics = emptyMetrics();
    this.#chars = 0;
  }
}

/** Counts exposures that came again, per arm. */
class Tallies {
  readonly #arms = new Map<string, { experiment?: string; release?: string; variant: string; count: number }>();
  total = 0;

  add({ experiment, release, variant }: Omit<DuplicateTally, "count">, count: number): void {
    this.total += count;
    const key = JSON.stringify([experiment, release, variant]);
    const tally = this.#arms.get(key);
    if (tally !== undefined) tally.count += count;
    else {
      const arm = { ...(experiment === undefined ? {} : { experiment }), ...(release === undefined ? {} : { release }), variant };
      this.#arms.set(key, { ...arm, count });
    }
  }

  columns(): Columns<DuplicateTally> {
    const tallies = [...this.#arms.values()];
    return {
      experiment: tallies.map((tally) => tally.experiment),
      release: tallies.map((tally) => tally.release),
      variant: tallies.map((tally) => tally.variant),
      count: tallies.map((tally) => tally.count),
    };
  }
}

function emptyExposures(): ExposureColumns {
  return {
    seq: [],
    timeMs: [],
    flag: [],
    variant: [],
    rule: [],
    experiment: [],
    release: [],
    epoch: [],
    revision: [],
    unit: [],
    differs: [],
    attributes: [],
  };
}

function emptyMetrics(): MetricColumns {
  return { seq: [], timeMs: [], name: [], unit: [], value: [], properties: [] };
}

function countColumns(counts: readonly EvaluationCount[]): Columns<EvaluationCount> {
  return {
    flag: counts.map((count) => count.flag),
    variant: counts.map((count) => count.variant),
    count: counts.map((count) => count.count),
  };
}

function ledgerColumns(ledger: readonly ArmLedger[]): Columns<ArmLedger> {
  return {
    experiment: ledger.map((arm) => arm.experiment),
    release: ledger.map((arm) => arm.release),
    variant: ledger.map((arm) => arm.variant),
    produced: ledger.map((arm) => arm.produced),
    dropped: ledger.map((arm) => arm.dropped),
  };
}

/**
 * Lone surrogates become U+FFFD, which is what hashing saw of them: JSON readers other than JavaScript's refuse them.
 * `JSON.stringify` writes them, and nothing else, as `\ud...`; a look for that text keeps the usual case free.
 */
function wellFormed(json: string): string {
  if (!json.includes("\\ud")) return json;
  return json.replace(/\\(?:\\|ud[0-9a-f]{3})/g, (found) => (found === "\\\\" ? found : "\ufffd"));
}
