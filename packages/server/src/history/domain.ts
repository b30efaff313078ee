import { diffSnapshots } from "@belay/core";
import type {
  Difference,
  FlagKey,
  Json,
  RestoreDraft,
  RestoreResult,
  SharedDifference,
  Snapshot,
  StateDiff,
  Targeting,
} from "@belay/protocol";
import { asJson, type Decision, isSame, type Refusal, refuse } from "../control/decision.ts";
import { environmentStream } from "../control/streams.ts";
import { armMoves } from "../flags/arms.ts";
import { flagNotFound } from "../flags/domain.ts";
import { stampEpochs } from "../flags/epochs.ts";
import type { EnvironmentState, ProjectState } from "../state/workspace.ts";
import type { Past } from "./history.ts";

/** Rules of going back: pure. */

/** What differs between two snapshots of an environment, each definition before and after. */
export function stateDiff(before: Snapshot, after: Snapshot): StateDiff {
  const { project, environment, flags, segments, spaces } = diffSnapshots(before, after);
  const differences = <K extends Difference["kind"]>(
    kind: K,
    keys: object,
    was: { readonly [key: string]: unknown },
    is: { readonly [key: string]: unknown },
  ): Difference[] =>
    Object.keys(keys)
      .sort()
      .map((key) => ({
        kind,
        key,
        ...(Object.hasOwn(was, key) ? { before: was[key] } : {}),
        ...(Object.hasOwn(is, key) ? { after: is[key] } : {}),
      })) as Difference[];
  return {
    project,
    environment,
    from: before.revision,
    to: after.revision,
    differences: [
      ...differences("flag", flags, before.flags, after.flags),
      ...differences("segment", segments, before.segments, after.segments),
      ...differences("space", spaces, before.spaces, after.spaces),
    ],
  };
}

/**
 * Brings targetings back to what they were, as a new change. Salts are the flags' own and never changed. A split that is
 * allocated otherwise than now opens a new epoch, never the old one again: units were elsewhere in between. Going back is
 * how harm is undone, so it is not refused for moving an experiment's units.
 */
export function restoreEnvironment(
  project: ProjectState,
  environment: EnvironmentState,
  past: Past,
  { flags }: Pick<RestoreDraft, "flags">,
): Decision<RestoreResult> {
  const unknown = flags?.find((key) => !past.environment.snapshot.flags.has(key));
  if (unknown !== undefined && project.flags.has(unknown)) {
    const reason = `it was not there at revision ${past.revision}`;
    return refuse("invalid_field", { field: "flags", received: unknown, reason });
  }
  if (unknown !== undefined) return flagNotFound(past.project, unknown) as Refusal;
  const isMeant = (key: FlagKey): boolean => flags === undefined || flags.includes(key);
  const revision = environment.revision + 1;
  const before: { [key: FlagKey]: Json } = Object.create(null);
  const after: { [key: FlagKey]: Json } = Object.create(null);
  for (const key of past.environment.snapshot.flags.keys()) {
    const restored = isMeant(key) ? restoredTargeting(project, environment, past, key) : undefined;
    if (restored === undefined) continue;
    before[key] = asJson(restored.before);
    after[key] = asJson(restored.after);
  }
  const restored = Object.keys(after).sort();
  const answer: RestoreResult = {
    project: project.key,
    environment: environment.key,
    restoredFrom: past.revision,
    restored,
    differs: sharedDifferences(project, past).filter(({ kind, key }) => kind === "segment" || isMeant(key)),
    revision: restored.length === 0 ? environment.revision : revision,
  };
  if (restored.length === 0) return { kind: "unchanged", answer, revision: environment.revision };
  const stream = { project: project.key, environment: environment.key };
  return {
    kind: "edit",
    action: "environment.restore",
    stream,
    target: { kind: "environment", key: environment.key },
    raises: [environmentStream(project, environment)],
    documents: restored.map((key) => ({ kind: "targeting", ...stream, key, body: after[key] as Json })),
    before,
    after,
    answer,
    revision,
  };
}

/** A flag's targeting now and brought back; `undefined` where the flag is archived or nothing differs. */
function restoredTargeting(
  project: ProjectState,
  environment: EnvironmentState,
  past: Past,
  key: FlagKey,
): { readonly before: Targeting; readonly after: Targeting } | undefined {
  const flag = project.flags.get(key)?.body;
  const targeting = environment.targetings.get(key);
  const wanted = past.environment.targetings.get(key)?.body;
  if (flag === undefined || flag.archived || targeting === undefined || wanted === undefined) return undefined;
  const { opened } = armMoves({ environment, flag: key }, { flag, targeting }, wanted);
  const after = stampEpochs(targeting.body, wanted, environment.revision + 1, opened);
  return isSame(after, targeting.body) ? undefined : { before: targeting.body, after };
}

/** What every environment shares, and one of them going back cannot change. */
function sharedDifferences(now: ProjectState, { project: then, environment }: Past): SharedDifference[] {
  const differences: SharedDifference[] = [];
  for (const [key, { body }] of now.flags) {
    const was = then.flags.get(key)?.body;
    const wasLive = environment.snapshot.flags.has(key);
    if (wasLive && body.archived) differences.push({ kind: "flag", key, since: "archived" });
    else if (!wasLive && !body.archived) differences.push({ kind: "flag", key, since: "created" });
    else if (wasLive && was !== undefined && !isSame(was.variants, body.variants))
      differences.push({ kind: "flag", key, since: "changed" });
  }
  for (const [key, { body }] of now.segments) {
    const was = then.segments.get(key)?.body;
    if (was === undefined) differences.push({ kind: "segment", key, since: "created" });
    else if (!isSame(was.when, body.when)) differences.push({ kind: "segment", key, since: "changed" });
  }
  for (const key of then.segments.keys()) {
    if (!now.segments.has(key)) differences.push({ kind: "segment", key, since: "deleted" });
  }
  return differences;
}
