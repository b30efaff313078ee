import { type CompileOptions, checkFlag, checkSegment, type Defect } from "@belay/core";
import type { FlagKey, SegmentKey } from "@belay/protocol";
import { clientSideFault } from "../flags/client-side.ts";
import type { LiveSnapshot } from "../state/snapshots.ts";
import { flagsNaming } from "../state/users.ts";
import { type Use, usesOfCondition, usesOfTargeting } from "../state/uses.ts";
import type { ProjectState, Workspace } from "../state/workspace.ts";
import type { DocumentWrite } from "../store/changes/index.ts";
import { type Refusal, refuse } from "./decision.ts";

/**
 * What stands between every edit and the log: a workspace in which a definition that the edit touched, or one that
 * depends on it, is broken or unfit for browsers is refused, whatever route or rule made it.
 */
export function verify(next: Workspace, documents: readonly DocumentWrite[], options: CompileOptions): Refusal | undefined {
  for (const { kind, project: projectKey = "", environment, key } of documents) {
    const project = next.projects.get(projectKey);
    if (project === undefined) continue;
    const fault = verifyDocument(project, { kind, key, ...(environment === undefined ? {} : { environment }) }, options);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function verifyDocument(
  project: ProjectState,
  { kind, environment, key }: Pick<DocumentWrite, "kind" | "environment" | "key">,
  options: CompileOptions,
): Refusal | undefined {
  if (kind === "targeting" && environment !== undefined) return verifyFlag(project, environment, key, options);
  if (kind === "flag") return verifyEverywhere(project, (name) => verifyFlagAndUsers(project, name, key, options));
  if (kind === "segment") return verifyEverywhere(project, (name) => verifySegmentAndUsers(project, name, key, options));
  return undefined;
}

function verifyEverywhere(project: ProjectState, check: (environment: string) => Refusal | undefined): Refusal | undefined {
  for (const environment of project.environments.keys()) {
    const fault = check(environment);
    if (fault !== undefined) return { ...fault, data: { environment, ...fault.data } };
  }
  return undefined;
}

function verifyFlagAndUsers(
  project: ProjectState,
  environment: string,
  key: FlagKey,
  options: CompileOptions,
): Refusal | undefined {
  const own = verifyFlag(project, environment, key, options);
  return own ?? verifyUsers(project, environment, { kind: "flag", name: key }, options);
}

function verifySegmentAndUsers(
  project: ProjectState,
  environment: string,
  key: SegmentKey,
  options: CompileOptions,
): Refusal | undefined {
  const snapshot = project.environments.get(environment)?.snapshot;
  const condition = snapshot?.head.segments[key];
  if (snapshot === undefined || condition === undefined) return undefined;
  const cycle = segmentCycle(snapshot, [key]);
  if (cycle !== undefined) return refuse("prerequisite_cycle", { field: "when", cycle: cycle.join(" -> ") });
  const [defect] = checkSegment(condition, snapshot.part(flagsReachable(snapshot, usesOfCondition(condition))), key, options);
  // Core calls the definition `condition`; a segment's field has the name `when`.
  if (defect !== undefined) {
    return refusal(placed({ ...defect, field: defect.field.replace(/^condition/, "when") }, usesOfCondition(condition)));
  }
  return verifyUsers(project, environment, { kind: "segment", name: key }, options);
}

/** The way from a segment back to itself, through segments; `undefined` when there is none. */
function segmentCycle(
  snapshot: LiveSnapshot,
  path: readonly SegmentKey[],
  visited = new Set<SegmentKey>(),
): readonly SegmentKey[] | undefined {
  const condition = snapshot.head.segments[path.at(-1) as SegmentKey];
  for (const { kind, name } of condition === undefined ? [] : usesOfCondition(condition)) {
    if (kind !== "segment") continue;
    if (name === path[0]) return [...path, name];
    if (visited.has(name)) continue;
    visited.add(name);
    const cycle = segmentCycle(snapshot, [...path, name], visited);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}

function verifyUsers(
  project: ProjectState,
  environment: string,
  what: { readonly kind: "flag" | "segment"; readonly name: string },
  options: CompileOptions,
): Refusal | undefined {
  for (const key of flagsNaming(project, environment, what)) {
    const fault = key === what.name && what.kind === "flag" ? undefined : verifyFlag(project, environment, key, options);
    if (fault !== undefined) return { ...fault, data: { flag: key, ...fault.data } };
  }
  return undefined;
}

function verifyFlag(project: ProjectState, environment: string, key: FlagKey, options: CompileOptions): Refusal | undefined {
  const snapshot = project.environments.get(environment)?.snapshot;
  const flag = snapshot?.flags.get(key);
  if (snapshot === undefined || flag === undefined) return undefined;
  const uses = usesOfTargeting(flag);
  const [defect] = checkFlag(flag, snapshot.part([key, ...flagsReachable(snapshot, uses)]), key, options);
  return defect === undefined ? clientSideFault(project, key, flag) : refusal(placed(defect, uses));
}

/** Flags that a definition names, itself or through others: all that its check can depend on. */
function flagsReachable(snapshot: LiveSnapshot, uses: readonly Use[]): ReadonlySet<FlagKey> {
  const flags = new Set<FlagKey>();
  const segments = new Set<SegmentKey>();
  const waiting = [...uses];
  for (let use = waiting.pop(); use !== undefined; use = waiting.pop()) {
    const seen = use.kind === "flag" ? flags : use.kind === "segment" ? segments : undefined;
    if (seen === undefined || seen.has(use.name)) continue;
    seen.add(use.name);
    const flag = use.kind === "flag" ? snapshot.flags.get(use.name) : undefined;
    const condition = use.kind === "segment" ? snapshot.head.segments[use.name] : undefined;
    waiting.push(
      ...(flag === undefined ? [] : usesOfTargeting(flag)),
      ...(condition === undefined ? [] : usesOfCondition(condition)),
    );
  }
  return flags;
}

/** Core names what is missing; here its place is known too. */
function placed(defect: Defect, uses: readonly Use[]): Defect {
  const kind = ({ unknown_segment: "segment", unknown_space: "space" } as const)[
    defect.code as "unknown_segment" | "unknown_space"
  ];
  const use =
    kind === undefined ? undefined : uses.find((candidate) => candidate.kind === kind && candidate.name === defect.received);
  return use === undefined ? defect : { ...defect, field: use.field };
}

function refusal({ code, ...data }: Defect): Refusal {
  return refuse(code, data);
}
