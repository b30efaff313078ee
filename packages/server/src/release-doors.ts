import type { FastifyPluginAsync } from "fastify";
import type { Access } from "./access/access.ts";
import type { ControlPlane } from "./control/control-plane.ts";
import type { ExperimentPulse } from "./experiments/pulse.ts";
import type { FillRandom } from "./flags/salts.ts";
import { learningRoutes } from "./learning/routes.ts";
import type { GatheredLedger } from "./ledger/gathered-ledger.ts";
import { releaseCommandRoutes } from "./releases/command-routes.ts";
import type { ReleaseDesk } from "./releases/desk.ts";
import { releaseEvidenceRoutes } from "./releases/evidence-routes.ts";
import { freezeRoutes } from "./releases/freeze-routes.ts";
import { logRoutes } from "./releases/log/routes.ts";
import { recordRoutes } from "./releases/record-routes.ts";
import { releaseRoutes } from "./releases/routes.ts";
import { templateRoutes } from "./releases/template-routes.ts";
import { triggerRoutes } from "./releases/trigger-routes.ts";
import { signingRoutes } from "./signing/routes.ts";
import type { ChangeLog } from "./store/changes/index.ts";
import type { EventStore } from "./store/events/index.ts";
import type { Send } from "./webhooks/sender.ts";

/** The doors of releases, of the freeze and of what is learned. */
export function releaseDoors({
  desk,
  pulse,
  log,
  events,
  gathered,
  fillRandom,
  send,
  now,
}: {
  readonly desk: ReleaseDesk;
  readonly pulse: Pick<ExperimentPulse, "heard" | "uncovered">;
  readonly log: Pick<ChangeLog, "changes">;
  readonly events: Pick<EventStore, "pull" | "ledger">;
  /** Where other servers keep events of their own. */
  readonly gathered?: GatheredLedger;
  /** Random bytes fit for secrets. */
  readonly fillRandom: FillRandom;
  /** What test alerts go out by. */
  readonly send?: Send;
  readonly now: () => number;
}): (access: Access, control: ControlPlane) => FastifyPluginAsync {
  return (access, control) => async (app) => {
    await app.register(releaseRoutes, { access, control, desk, now });
    await app.register(releaseCommandRoutes, { access, control, desk });
    await app.register(releaseEvidenceRoutes, { access, control, desk, now, ...(send === undefined ? {} : { send }) });
    await app.register(recordRoutes, { access, control, desk });
    await app.register(logRoutes, {
      ...{ access, control, log, events, fillRandom, now },
      ...(gathered === undefined ? {} : { gathered }),
    });
    await app.register(signingRoutes, { access, control, fillRandom });
    await app.register(learningRoutes, { access, control, desk, pulse, events, now });
    await app.register(freezeRoutes, { access, control, desk, now });
    await app.register(templateRoutes, { access, control });
    await app.register(triggerRoutes, { access, control, desk, fillRandom, now });
  };
}
