import type { FlagKey, SegmentKey } from "@belay/protocol";
import { type Use, usesOfCondition, usesOfTargeting } from "./uses.ts";
import type { ProjectState } from "./workspace.ts";

/** Who names a flag: live flags by environment, and segments; in words, as a refusal quotes them. Not itself, nor `but`. */
export function usersOfFlag(project: ProjectState, key: FlagKey, but: readonly FlagKey[] = []): string[] {
  const users = usersOf(project, { kind: "flag", name: key });
  return users.filter((user) => ![key, ...but].some((other) => user.startsWith(`flag ${other} `)));
}

export function usersOfSegment(project: ProjectState, key: SegmentKey): string[] {
  return usersOf(project, { kind: "segment", name: key }).filter((user) => user !== `segment ${key}`);
}

/** Keys of live flags of one environment that name a flag or a segment themselves. */
export function flagsNaming(project: ProjectState, environment: string, what: Pick<Use, "kind" | "name">): FlagKey[] {
  const flags = project.environments.get(environment)?.snapshot.flags ?? [];
  return [...flags].filter(([, flag]) => names(usesOfTargeting(flag), what)).map(([key]) => key);
}

function usersOf(project: ProjectState, what: Pick<Use, "kind" | "name">): string[] {
  const flags = [...project.environments.keys()].flatMap((environment) =>
    flagsNaming(project, environment, what).map((key) => `flag ${key} in ${environment}`),
  );
  const segments = [...project.segments].filter(([, { body }]) => names(usesOfCondition(body.when), what));
  return [...flags, ...segments.map(([key]) => `segment ${key}`)];
}

function names(uses: readonly Use[], { kind, name }: Pick<Use, "kind" | "name">): boolean {
  return uses.some((use) => use.kind === kind && use.name === name);
}
