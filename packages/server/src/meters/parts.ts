import { collectDefaultMetrics, type Registry } from "prom-client";
import type { DeliveryStore } from "../store/deliveries/index.ts";
import { type ChangeMeterSources, meterChanges } from "./change-meters.ts";
import { gauge } from "./counted.ts";
import { type EventMeterSources, meterEvents } from "./event-meters.ts";
import { type ExperimentMeterSources, meterExperiments } from "./experiment-meters.ts";
import { Places } from "./places.ts";
import { meterReleases, type ReleaseMeterSources } from "./release-meters.ts";

type Sources = ChangeMeterSources & EventMeterSources & ReleaseMeterSources & ExperimentMeterSources;

export interface MeterSources extends Omit<Sources, "places" | "control"> {
  readonly control: ChangeMeterSources["control"];
  readonly deliveries: Pick<DeliveryStore, "totals">;
}

/**
 * Meters of everything a server runs, and of its process. No label holds a flag, a unit, an instance or free text: how many
 * series there are depends on the routes and on the environments, of which 50 are told apart.
 */
export function meterParts(registry: Registry, sources: MeterSources): void {
  const places = new Places();
  collectDefaultMetrics({ register: registry });
  meterChanges(registry, { ...sources, places });
  meterEvents(registry, { ...sources, places });
  meterReleases(registry, { ...sources, places });
  meterExperiments(registry, { ...sources, places });
  const help = "Messages to webhooks that wait to be delivered, or were given up";
  gauge(registry, { name: "belay_webhook_messages", help, labels: ["state"] }, async (set) => {
    const { pending, dead } = await sources.deliveries.totals();
    set(pending, { state: "pending" });
    set(dead, { state: "dead" });
  });
}
