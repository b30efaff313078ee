import { collectDefaultMetrics, type Registry } from "prom-client";
import { counter, gauge } from "../meters/counted.ts";
import { Places } from "../meters/places.ts";
import type { Branch } from "./branch.ts";
import type { Branches } from "./branches.ts";

/** What a relay says of itself, by environment: how far behind it is with what it follows and with what it carries. */
export function meterRelay(registry: Registry, { branches, rejected }: { branches: Branches; rejected: () => number }): void {
  const places = new Places();
  collectDefaultMetrics({ register: registry });
  const all = (): Branch[] => [...branches.all.values()];
  const each = (name: string, help: string, of: (branch: Branch) => number): void =>
    gauge(registry, { name, help, labels: ["project", "environment"] }, (set) => {
      for (const branch of all()) {
        const { project, environment } = branch.followed.brief ?? { project: "(unknown)", environment: "(unknown)" };
        set(of(branch), { ...places.labels(project, environment) });
      }
    });
  each("belay_relay_revision", "Revision served by this relay", ({ followed }) => followed.revision);
  each("belay_relay_up", "1 while the upstream is followed, 0 while the last known good is served", ({ followed }) =>
    followed.fault === undefined ? 1 : 0,
  );
  each("belay_relay_silent_seconds", "Since the upstream last confirmed what is served", ({ followed }) => {
    return followed.silentMs / 1_000;
  });
  each(
    "belay_relay_lag_seconds",
    "Age of the oldest event the upstream has not taken yet",
    (branch) => branch.status().lagMs / 1_000,
  );
  each("belay_spool_bytes", "Bytes acknowledged and not forwarded yet", (branch) => branch.status().spoolBytes);
  each("belay_spool_bytes_max", "Bytes of a spool at which new events are refused", (branch) => branch.status().spoolBytesMax);
  const sum = (of: (branch: Branch) => number): number => all().reduce((total, branch) => total + of(branch), 0);
  counter(registry, { name: "belay_events_accepted_total", help: "Exposures and metric events taken since the start" }, () =>
    sum((branch) => branch.status().accepted),
  );
  counter(registry, { name: "belay_events_duplicate_total", help: "Events that came again and were not taken again" }, () =>
    sum((branch) => branch.status().duplicates),
  );
  counter(registry, { name: "belay_events_rejected_total", help: "Events that were not fit to be taken" }, rejected);
  counter(registry, { name: "belay_relay_forwarded_total", help: "Batches the upstream took since the start" }, () =>
    sum(({ forwarded }) => forwarded),
  );
}
