import type { DuplicateTally, EventBatch, Exposure, MetricEvent, RelayedBatch } from "@belay/protocol";
import type { BatchFrame } from "../store/events/spool/batch-frame.ts";

/**
 * A frame of a relay's spool as the batch its instance sent, without what came again. Sent now, it is as if the instance
 * sent it now by its own clock: `sentAtMs` is the relay's `now` less what that clock is behind, so that whoever takes it
 * sees the instance's clock and not the time it lay here.
 */
export function relayedBatch(frame: BatchFrame, now: number): RelayedBatch {
  const { batchId, sdk, instance, clockOffsetMs, exposures, metrics, counts, ledger, duplicates } = frame;
  const batch: EventBatch = {
    batchId,
    sdk,
    instance,
    sentAtMs: Math.max(0, now - clockOffsetMs),
    ...(exposures === undefined ? {} : { exposures: rowsOf(exposures).map(readExposure) }),
    ...(metrics === undefined ? {} : { metrics: rowsOf(metrics).map(readMetric) }),
    ...(counts === undefined ? {} : { counts: rowsOf(counts) as unknown as NonNullable<EventBatch["counts"]> }),
    ...(ledger === undefined ? {} : { ledger: rowsOf(ledger) as unknown as NonNullable<EventBatch["ledger"]> }),
  };
  const tallies = duplicates === undefined ? [] : (rowsOf(duplicates) as unknown as DuplicateTally[]);
  return { batch, ...(tallies.length === 0 ? {} : { duplicates: tallies }) };
}

type Row = Readonly<Record<string, unknown>>;

/** Columns of one length as rows; what is null there was absent. */
function rowsOf(columns: Readonly<Record<string, readonly unknown[]>> | object): Row[] {
  const entries = Object.entries(columns as Readonly<Record<string, readonly unknown[]>>);
  const length = Math.max(0, ...entries.map(([, values]) => values.length));
  return Array.from({ length }, (_, at) =>
    Object.fromEntries(entries.map(([name, values]) => [name, values[at]]).filter(([, value]) => value != null)),
  );
}

function readExposure({ attributes, ...row }: Row): Exposure {
  return { ...row, ...(attributes === undefined ? {} : { attributes: JSON.parse(String(attributes)) }) } as unknown as Exposure;
}

function readMetric({ properties, ...row }: Row): MetricEvent {
  return {
    ...row,
    ...(properties === undefined ? {} : { properties: JSON.parse(String(properties)) }),
  } as unknown as MetricEvent;
}
