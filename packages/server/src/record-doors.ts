import type { FastifyPluginAsync } from "fastify";
import type { Access } from "./access/access.ts";
import type { ControlPlane } from "./control/control-plane.ts";
import { experimentRoutes } from "./experiments/routes.ts";
import type { GatheredLedger } from "./ledger/gathered-ledger.ts";
import { nameNotCounted } from "./ledger/not-counted.ts";
import { ledgerRoutes } from "./ledger/routes.ts";
import { metricRoutes } from "./metrics/routes.ts";
import { effectRoutes } from "./releases/effect-routes.ts";
import { resultsRoutes } from "./results/routes.ts";
import { createResults } from "./results/service.ts";
import { shippedRoutes } from "./results/shipped-routes.ts";
import { createShipped } from "./results/shipped-service.ts";
import { retentionRoutes } from "./retention/routes.ts";
import type { ChangeLog } from "./store/changes/index.ts";
import type { DeliveryStore } from "./store/deliveries/index.ts";
import type { EventStore } from "./store/events/index.ts";
import { unitRoutes } from "./units/routes.ts";

/** The doors that need the state and the events both: the ledger, retention, erasure, metrics, experiments, results, what releases did. */
export function recordDoors({
  events,
  now,
  deliveries,
  gathered,
}: {
  readonly events: EventStore;
  readonly now: () => number;
  /** Where other servers keep events of their own: whose ledgers are in that of `events`. */
  readonly gathered?: GatheredLedger;
  /** What became of what was sent to webhooks; absent: nothing is known of it. */
  readonly deliveries?: Pick<DeliveryStore, "list">;
}): (access: Access, control: ControlPlane, log: ChangeLog) => FastifyPluginAsync {
  return (access, control, log) => async (app) => {
    await app.register(ledgerRoutes, { access, control, events, now, ...(gathered === undefined ? {} : { gathered }) });
    await app.register(retentionRoutes, { access, control });
    await app.register(metricRoutes, { access, control, events, now });
    const results = createResults({ control, events, now, ...(deliveries === undefined ? {} : { deliveries }) });
    await app.register(experimentRoutes, { access, control, events, log, now, results });
    // The ledger is of all servers, and these are made of what this one has.
    await app.register(async (own) => {
      nameNotCounted(own, gathered);
      await own.register(resultsRoutes, { access, control, results });
      await own.register(shippedRoutes, { access, control, shipped: createShipped({ control, events, now }) });
      await own.register(effectRoutes, { access, control, events, now });
    });
    await app.register(unitRoutes, { access, control, events });
  };
}
