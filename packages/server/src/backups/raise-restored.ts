import type { EpochMs } from "@belay/protocol";
import { COMPILE_OPTIONS } from "../compile-options.ts";
import type { Origin } from "../control/command.ts";
import { ControlPlane } from "../control/control-plane.ts";
import { resumed, type Served, servedBy } from "../control/resumption.ts";
import { openChangeLog } from "../store/changes/index.ts";

/** More changes than any environment sees from one backup to the next; a number that nobody misses. */
const LOST_MAX = 1_000_000;

const ORIGIN: Origin = {
  actor: { id: "system", name: "Belay" },
  requestId: "restore",
  reason: "restored from a backup: revisions go on above all that may have been served since it was made",
};

/**
 * Puts the revisions of an embedded change log that was brought back above all that may have been served since: nobody is left who
 * remembers which. Applications take no revision below the one they hold, and what differs from one they hold under another
 * meaning would mix the two.
 */
export async function raiseRestored(file: string, now: () => EpochMs): Promise<void> {
  const log = await openChangeLog(file);
  try {
    const control = await ControlPlane.open({ log, now, compile: COMPILE_OPTIONS });
    for (const served of servedBy(control.workspace)) {
      await control.execute({ origin: ORIGIN, decide: (workspace) => resumed(workspace, atMost(served)) });
    }
  } finally {
    await log.close();
  }
}

function atMost({ project, revision, environments }: Served): Served {
  const raised = [...environments].map(([key, served]) => [key, served + LOST_MAX] as const);
  return { project, revision: revision + LOST_MAX, environments: new Map(raised) };
}
