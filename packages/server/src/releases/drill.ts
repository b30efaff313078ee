import { canonicalJson } from "@belay/core";
import type { DrillRecord, FlagKey, FlagTargeting } from "@belay/protocol";
import type { Origin } from "../control/command.ts";
import type { ControlPlane } from "../control/control-plane.ts";
import { asJson } from "../control/decision.ts";
import { setEnabled } from "../flags/targeting.ts";
import { ProblemError } from "../http/problem.ts";
import type { PropagationTracker } from "./propagation.ts";
import { placeIn, type ReleaseService } from "./service.ts";
import type { ReleaseId } from "./watchtower.ts";

export interface Drill {
  readonly control: ControlPlane;
  readonly service: ReleaseService;
  readonly origin: Origin;
  readonly id: ReleaseId;
  /** The flag that is switched: one that is on, and that no live release moves. */
  readonly flag: FlagKey;
  readonly now: () => number;
  /** How long to wait for each switch's receipts. */
  readonly timeoutMs: number;
  readonly sleep: (ms: number) => Promise<void>;
}

const POLL_MS = 20;

/**
 * Switches a flag off and on again where instances run, and times both until every instance acknowledged. The content
 * afterwards is the one from before; a drill in which somebody did not answer, or nobody ran, has not passed.
 *
 * @throws ProblemError where the flag could not be switched back on: then nothing is switched at all.
 */
export async function runDrill(drill: Drill): Promise<DrillRecord> {
  const { id, origin, now } = drill;
  const before = contentOf(drill);
  const off = await switchTo(drill, false);
  const on = await switchTo(drill, true);
  const isSame = contentOf(drill) === before;
  const passed = isSame && off.instances > 0 && off.laggards.length === 0 && on.laggards.length === 0;
  return { at: new Date(now()).toISOString(), by: origin.actor.id, environment: id.environment, passed, off, on };
}

async function switchTo({ control, service, origin, id, flag, now, timeoutMs, sleep }: Drill, enabled: boolean) {
  const decidedAt = now();
  const done = await control.execute<FlagTargeting>({
    origin: { ...origin, reason: `rollback drill of ${id.key}` },
    decide: (workspace) => setEnabled({ ...placeIn(workspace, id), flag }, enabled),
  });
  const revision = done.status === "done" ? done.revision : 0;
  const name = `drill ${revision}`;
  const tracker = service.track(id, name, { revision, decidedAt, publishedAt: now() });
  await settled(tracker, { timeoutMs, sleep });
  service.untrack(id, name);
  return tracker.view();
}

async function settled(tracker: PropagationTracker, { timeoutMs, sleep }: Pick<Drill, "timeoutMs" | "sleep">): Promise<void> {
  for (let waited = 0; !tracker.isComplete && waited < timeoutMs; waited += POLL_MS) await sleep(POLL_MS);
}

/** How the flag decides, as text. @throws ProblemError where it is off, or may not be switched on again. */
function contentOf({ control, id, flag }: Drill): string {
  const { environment, project } = placeIn(control.workspace, id);
  const targeting = environment.targetings.get(flag)?.body;
  if (targeting === undefined || project.flags.get(flag)?.body.archived !== false) {
    throw new ProblemError("flag_not_found", { key: flag });
  }
  if (!targeting.enabled) {
    throw new ProblemError("invalid_field", { field: "flag", received: flag, reason: "a drill needs a flag that is on" });
  }
  return canonicalJson(asJson(targeting));
}
