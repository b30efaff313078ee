import type { FastifyPluginAsync } from "fastify";
import type { Access } from "./access/access.ts";
import type { ControlPlane } from "./control/control-plane.ts";
import type { FillRandom } from "./flags/salts.ts";
import type { ReleaseDesk } from "./releases/desk.ts";
import { freezeRoutes } from "./releases/freeze-routes.ts";
import { recordRoutes } from "./releases/record-routes.ts";
import { releaseRoutes } from "./releases/routes.ts";
import { templateRoutes } from "./releases/template-routes.ts";
import { triggerRoutes } from "./releases/trigger-routes.ts";

/** The doors of releases and of the freeze. */
export function releaseDoors({
  desk,
  fillRandom,
  now,
}: {
  readonly desk: ReleaseDesk;
  /** Random bytes fit for secrets. */
  readonly fillRandom: FillRandom;
  readonly now: () => number;
}): (access: Access, control: ControlPlane) => FastifyPluginAsync {
  return (access, control) => async (app) => {
    await app.register(releaseRoutes, { access, control, desk, now });
    await app.register(recordRoutes, { access, control, desk });
    await app.register(freezeRoutes, { access, control, desk, now });
    await app.register(templateRoutes, { access, control });
    await app.register(triggerRoutes, { access, control, desk, fillRandom, now });
  };
}
