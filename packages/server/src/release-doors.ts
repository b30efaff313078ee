import type { FastifyPluginAsync } from "fastify";
import type { Access } from "./access/access.ts";
import type { ControlPlane } from "./control/control-plane.ts";
import type { ReleaseDesk } from "./releases/desk.ts";
import { freezeRoutes } from "./releases/freeze-routes.ts";
import { releaseRoutes } from "./releases/routes.ts";

/** The doors of releases and of the freeze. */
export function releaseDoors({
  desk,
  now,
}: {
  readonly desk: ReleaseDesk;
  readonly now: () => number;
}): (access: Access, control: ControlPlane) => FastifyPluginAsync {
  return (access, control) => async (app) => {
    await app.register(releaseRoutes, { access, control, desk, now });
    await app.register(freezeRoutes, { access, control, desk, now });
  };
}
