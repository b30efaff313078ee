import type { ExperimentKey, Look, QualityAlarm } from "@belay/protocol";
import type { Decision } from "../control/decision.ts";
import { writeProjectDocument } from "../control/project-document.ts";
import type { Held, LooksDocument, ProjectState } from "../state/workspace.ts";
import { ALARM, CALM } from "./alert-route.ts";
import { inStatus } from "./domain.ts";

/** Rules of the look ledger: pure, `(state, command) -> decision`. */

/** Adds looks to the ledger, once: nothing to do where there is one of that moment or a later one already. */
export function addLooks(
  project: ProjectState,
  key: ExperimentKey,
  looks: readonly Look[],
  srmLogE: number | undefined,
): Decision<LooksDocument> {
  const held = inStatus(project, key, ["running", "stopped"]);
  if ("code" in held) return held;
  const before = project.looks.get(key);
  const known: LooksDocument = before?.body ?? { looks: [] };
  const at = looks[0]?.at;
  const last = known.looks.at(-1)?.at;
  const isLate = at === undefined || (last !== undefined && at <= last);
  const after: LooksDocument = isLate
    ? known
    : {
        ...known,
        looks: [...known.looks, ...looks],
        ...(srmLogE === undefined ? {} : { srmLogEMax: Math.max(srmLogE, known.srmLogEMax ?? 0) }),
      };
  if (isLate && before === undefined) return { kind: "unchanged", answer: known, revision: project.revision };
  const view = ({ body }: Held<LooksDocument>): LooksDocument => body;
  return writeProjectDocument(project, { kind: "looks", key, action: "experiment.look", before, after, view });
}

/** Says, once, which checks fail now, or that none does any more; nothing to do where that is known. */
export function setAlarm(
  project: ProjectState,
  key: ExperimentKey,
  alarm: QualityAlarm | undefined,
  srmLogE: number | undefined,
): Decision<LooksDocument> {
  const held = inStatus(project, key, ["running"]);
  if ("code" in held) return held;
  const before = project.looks.get(key);
  const known: LooksDocument = before?.body ?? { looks: [] };
  const { alarm: former, ...rest } = known;
  if (alarm?.checks.join() === former?.checks.join()) {
    return { kind: "unchanged", answer: known, revision: project.revision };
  }
  const after: LooksDocument = {
    ...rest,
    ...(srmLogE === undefined ? {} : { srmLogEMax: Math.max(srmLogE, known.srmLogEMax ?? 0) }),
    ...(alarm === undefined ? {} : { alarm }),
  };
  const view = ({ body }: Held<LooksDocument>): LooksDocument => body;
  const action = alarm === undefined ? CALM : ALARM;
  return writeProjectDocument(project, { kind: "looks", key, action, before, after, view });
}
