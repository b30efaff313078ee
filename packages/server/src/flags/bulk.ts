import type { BulkOutcome, BulkResult, FlagKey, Json } from "@belay/protocol";
import type { Decision, Edit } from "../control/decision.ts";
import { allStreams, environmentStream } from "../control/streams.ts";
import type { EnvironmentState, ProjectState } from "../state/workspace.ts";
import type { DocumentWrite } from "../store/changes/index.ts";
import { archiveFlag } from "./domain.ts";
import { setEnabled } from "./targeting.ts";

/**
 * One command for many flags, in one change: those it fits are changed, those already so and those it does not fit are
 * listed and left. Pure. A flag that would break another definition refuses the whole, as for one flag.
 */

/** Archives flags, or brings them back. Flags that only name each other may go together. */
export function archiveFlags(project: ProjectState, keys: readonly FlagKey[], archived: boolean): Decision<BulkResult> {
  let going: readonly FlagKey[] = keys;
  let decided = decideEach(keys, (key) => archiveFlag(project, key, archived, going));
  // One that stays may be what another one is in use by.
  for (let before = keys.length + 1; going.length < before; ) {
    before = going.length;
    going = keys.filter((key) => decided.get(key)?.kind !== "refused");
    decided = decideEach(keys, (key) => archiveFlag(project, key, archived, going));
  }
  return combine(project, decided, {
    action: archived ? "flags.archive" : "flags.restore",
    stream: { project: project.key },
    target: { kind: "project", key: project.key },
    raises: allStreams(project),
    state: archived,
    revision: project.revision,
  });
}

/** Switches flags on or off in one environment, their rules untouched. */
export function switchFlags(
  project: ProjectState,
  environment: EnvironmentState,
  keys: readonly FlagKey[],
  enabled: boolean,
): Decision<BulkResult> {
  const decided = decideEach(keys, (flag) => setEnabled({ project, environment, flag }, enabled));
  return combine(project, decided, {
    action: enabled ? "flags.enable" : "flags.disable",
    stream: { project: project.key, environment: environment.key },
    target: { kind: "environment", key: environment.key },
    raises: [environmentStream(project, environment)],
    state: enabled,
    revision: environment.revision,
  });
}

type Decided = ReadonlyMap<FlagKey, Decision<unknown>>;

function decideEach(keys: readonly FlagKey[], decide: (key: FlagKey) => Decision<unknown>): Decided {
  return new Map(keys.map((key) => [key, decide(key)]));
}

/** What the single changes have in common. */
interface Common extends Pick<Edit<unknown>, "action" | "stream" | "target" | "raises"> {
  /** What each changed flag is afterwards, and was not before. */
  readonly state: boolean;
  /** Revision of the stream now. */
  readonly revision: number;
}

function combine(project: ProjectState, decided: Decided, { state, revision, ...common }: Common): Decision<BulkResult> {
  const results = [...decided].map(([flag, decision]) => outcomeOf(flag, decision));
  const documents = [...decided.values()].flatMap((decision): readonly DocumentWrite[] =>
    decision.kind === "edit" ? decision.documents : [],
  );
  if (documents.length === 0) {
    return { kind: "unchanged", answer: { project: project.key, results, revision }, revision };
  }
  const changed = results.filter(({ outcome }) => outcome === "changed");
  // fromEntries defines own properties, so that a flag called __proto__ is one.
  const all = (is: boolean): Json => Object.fromEntries(changed.map(({ flag }) => [flag, is]));
  const answer = { project: project.key, results, revision: revision + 1 };
  return { kind: "edit", ...common, documents, before: all(!state), after: all(state), answer, revision: revision + 1 };
}

function outcomeOf(flag: FlagKey, decision: Decision<unknown>): BulkOutcome {
  if (decision.kind !== "refused") return { flag, outcome: decision.kind === "edit" ? "changed" : "unchanged" };
  const { users } = decision.data;
  return { flag, outcome: "refused", code: decision.code, ...(typeof users === "string" ? { users } : {}) };
}
