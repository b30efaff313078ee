/* Addresses for alerts from outside: pure, `(state, command) -> decision`. */
import type { ReleaseTrigger, ReleaseTriggerCreated } from "@belay/protocol";
import { asJson, type Decision, refuse } from "../control/decision.ts";
import { environmentStream } from "../control/streams.ts";
import type { PlacedTrigger, TriggerDocument, Workspace } from "../state/workspace.ts";
import { guardrailNotFound } from "./climb.ts";
import { heldRelease, type ReleasePlace } from "./document.ts";

export function triggerView({ id, document: { release, guardrail, createdAt } }: PlacedTrigger): ReleaseTrigger {
  return { id, release, guardrail, path: `/triggers/v1/${id}`, createdAt };
}

/** The triggers of one release, the oldest first. */
export function triggersOf(workspace: Workspace, { project, environment, key }: ReleasePlace): PlacedTrigger[] {
  return [...workspace.triggers.values()].filter(
    (placed) => placed.project === project.key && placed.environment === environment.key && placed.document.release === key,
  );
}

/**
 * @param made an id nobody can guess, and the secret to sign with. The id alone trips nothing: addresses end up in logs.
 */
export function createTrigger(
  place: ReleasePlace,
  guardrail: string,
  made: { readonly id: string; readonly secret: string },
  createdAt: string,
): Decision<ReleaseTriggerCreated> {
  const held = heldRelease(place);
  if ("code" in held) return held;
  if (!held.body.guardrails.some(({ metric }) => metric === guardrail)) return guardrailNotFound(held.body, guardrail);
  const { id, secret } = made;
  const document: TriggerDocument = { release: place.key, guardrail, secret, createdAt };
  const shown = triggerView({ id, project: place.project.key, environment: place.environment.key, document });
  return {
    ...editOf(place, "release.trigger.create"),
    documents: [{ ...at(place), kind: "trigger", key: id, body: asJson(document) }],
    after: asJson({ guardrail, trigger: id.slice(0, 6) }),
    answer: { ...shown, secret },
  };
}

export function deleteTrigger(workspace: Workspace, place: ReleasePlace, id: string): Decision<undefined> {
  const placed = triggersOf(workspace, place).find((each) => each.id === id);
  if (placed === undefined) return refuse("trigger_not_found", { key: id });
  return {
    ...editOf(place, "release.trigger.delete"),
    documents: [{ ...at(place), kind: "trigger", key: id }],
    before: asJson({ guardrail: placed.document.guardrail, trigger: id.slice(0, 6) }),
    answer: undefined,
  };
}

const at = ({ project, environment }: ReleasePlace) => ({ project: project.key, environment: environment.key });

function editOf(place: ReleasePlace, action: string) {
  const { project, environment, key } = place;
  return {
    kind: "edit",
    action,
    stream: at(place),
    target: { kind: "release", key },
    raises: [environmentStream(project, environment)],
    revision: environment.revision + 1,
  } as const;
}
