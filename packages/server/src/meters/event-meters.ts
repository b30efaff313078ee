import type { EpochMs } from "@belay/protocol";
import type { Registry } from "prom-client";
import type { ControlPlane } from "../control/control-plane.ts";
import type { Intake } from "../exposures/intake.ts";
import { LEDGER_COUNTS, type LedgerTotal, ledgerTotals } from "../ledger/totals.ts";
import type { EventStore } from "../store/events/index.ts";
import { counter, gauge } from "./counted.ts";
import type { Places } from "./places.ts";

export interface EventMeterSources {
  readonly control: Pick<ControlPlane, "workspace">;
  readonly events: Pick<EventStore, "ledger" | "status">;
  readonly intake: Pick<Intake, "rejected">;
  readonly places: Places;
  readonly now: () => EpochMs;
}

/** Events taken in, how far the store is behind, and what the ledger adds up to. */
export function meterEvents(registry: Registry, sources: EventMeterSources): void {
  const { events, intake } = sources;
  counter(registry, { name: "belay_events_accepted_total", help: "Exposures and metric events stored since the start" }, () => {
    return events.status().accepted;
  });
  counter(registry, { name: "belay_events_duplicate_total", help: "Events that came again and were not stored again" }, () => {
    return events.status().duplicates;
  });
  counter(
    registry,
    { name: "belay_events_rejected_total", help: "Events that were not fit to be stored" },
    () => intake.rejected,
  );
  gauge(registry, { name: "belay_spool_bytes", help: "Bytes acknowledged and not loaded into the event store yet" }, (set) => {
    set(events.status().spoolBytes);
  });
  gauge(registry, { name: "belay_spool_bytes_max", help: "Bytes of the spool at which new events are refused" }, (set) => {
    set(events.status().spoolBytesMax);
  });
  gauge(
    registry,
    { name: "belay_event_store_lag_seconds", help: "Age of the oldest event that reads do not show yet" },
    (set) => {
      set(events.status().lagMs / 1_000);
    },
  );
  gauge(registry, { name: "belay_event_store_up", help: "1 while events can be loaded, 0 while they only wait" }, (set) => {
    set(events.status().fault === undefined ? 1 : 0);
  });
  meterLedger(registry, sources);
}

/** A question to the store wakes its process: it is asked once a minute at most, and only about news. */
const ASK_EVERY_MS = 60_000;
/** What was in flight turns into lost without an event. */
const ASK_ANYWAY_MS = 600_000;
const SILENT_MS = 600_000;
/** Experiments and releases of an environment told apart. */
const KEYS_MAX = 20;

function meterLedger(registry: Registry, { control, events, places, now }: EventMeterSources): void {
  let totals: readonly (LedgerTotal & { readonly project: string })[] = [];
  let asked = { at: Number.NEGATIVE_INFINITY, accepted: -1 };
  let asking: Promise<void> | undefined;
  const ask = async (): Promise<void> => {
    const read = [];
    for (const project of control.workspace.projects.keys()) {
      const lines = await events.ledger({ project });
      const options = { nowMs: now(), silentAfterMs: SILENT_MS, keysMax: KEYS_MAX };
      read.push(...ledgerTotals(lines, options).map((total) => ({ project, ...total })));
    }
    totals = read;
  };
  const meter = {
    name: "belay_ledger_exposures",
    help: "Exposures of an experiment or release by what became of them, as of a minute ago at most",
    labels: ["project", "environment", "kind", "key", "count"] as const,
  };
  gauge(registry, meter, (set) => {
    const { accepted } = events.status();
    const sinceMs = now() - asked.at;
    const isDue = sinceMs >= (accepted === asked.accepted ? ASK_ANYWAY_MS : ASK_EVERY_MS);
    if (isDue && asking === undefined) {
      asked = { at: now(), accepted };
      // The scraper never waits for the store: it is shown the answer the next time.
      asking = ask()
        .catch(() => undefined)
        .finally(() => {
          asking = undefined;
        });
    }
    for (const [series, value] of summed(totals, places)) set(value, series);
  });
}

type LedgerSeries = Readonly<Record<"project" | "environment" | "kind" | "key" | "count", string>>;

/** Series of the places that are not told apart fall together. */
function summed(
  totals: readonly (LedgerTotal & { readonly project: string })[],
  places: Places,
): readonly (readonly [LedgerSeries, number])[] {
  const sums = new Map<string, [LedgerSeries, number]>();
  for (const { project, environment, kind, key, counts } of totals) {
    const place = places.labels(project, environment);
    const named = place.project === project ? key : "(other)";
    for (const count of LEDGER_COUNTS) {
      const series = { ...place, kind, key: named, count };
      const id = JSON.stringify(series);
      sums.set(id, [series, (sums.get(id)?.[1] ?? 0) + counts[count]]);
    }
  }
  return [...sums.values()];
}
