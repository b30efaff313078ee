import type { ArmLedger, EvaluationCount, Exposure, MetricEvent } from "@belay/protocol";
import type { IncomingBatch } from "./event-store.ts";

/** 2026-11-22T10:00:00Z. */
export const TEN_OCLOCK = Date.UTC(2026, 10, 22, 10);

export function exposureOf(seq: number, over: Partial<Exposure> = {}): Exposure {
  return {
    seq,
    timeMs: TEN_OCLOCK + seq,
    flag: "checkout",
    variant: "treatment",
    experiment: "checkout-test",
    epoch: 3,
    revision: 12,
    unit: `user-${seq}`,
    ...over,
  };
}

export function metricOf(seq: number, over: Partial<MetricEvent> = {}): MetricEvent {
  return { seq, timeMs: TEN_OCLOCK + seq, name: "purchase", unit: `user-${seq}`, ...over };
}

interface BatchParts extends Partial<Omit<IncomingBatch, "attributes" | "properties">> {
  readonly exposures?: readonly Exposure[];
  readonly metrics?: readonly MetricEvent[];
  readonly counts?: readonly EvaluationCount[];
  readonly ledger?: readonly ArmLedger[];
}

/** A batch as the door hands it on. */
export function batchOf(parts: BatchParts): IncomingBatch {
  const { exposures = [], metrics = [], counts = [], ledger = [] } = parts;
  return {
    project: "default",
    environment: "production",
    instance: "instance-1",
    sdk: "node/0.1.0",
    batchId: "batch-1",
    receivedAtMs: TEN_OCLOCK + 5_000,
    clockOffsetMs: 40,
    ...parts,
    exposures,
    attributes: exposures.map(({ attributes }) => attributes && JSON.stringify(attributes)),
    metrics,
    properties: metrics.map(({ properties }) => properties && JSON.stringify(properties)),
    counts,
    ledger,
  };
}
