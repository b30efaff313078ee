import type { Registry } from "prom-client";
import type { Hub } from "../stream/hub.ts";
import { counter, gauge } from "./counted.ts";

/** Streams held open, and those that were not. */
export function meterStreams(registry: Registry, hub: Hub): void {
  gauge(registry, { name: "belay_streams_open", help: "Streams of SDKs and providers open now" }, (set) => set(hub.size));
  counter(registry, { name: "belay_streams_slow_total", help: "Streams cut because their client did not read" }, () => {
    return hub.losses.slow;
  });
  counter(registry, { name: "belay_streams_refused_total", help: "Streams refused because there was no place" }, () => {
    return hub.losses.refused;
  });
}
