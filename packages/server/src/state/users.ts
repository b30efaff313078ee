import type { FlagKey, SegmentKey, SnapshotFlag } from "@belay/protocol";
import { LayeredMap } from "./layered-map.ts";
import { type Use, usesOfCondition, usesOfTargeting } from "./uses.ts";
import type { EnvironmentState, ProjectState } from "./workspace.ts";

type Named = Pick<Use, "kind" | "name">;

/** How what is named is written in an environment's `naming`. */
export const named = ({ kind, name }: Named): string => `${kind} ${name}`;

/** Who names a flag: live flags by environment, and segments; in words, as a refusal quotes them. Not itself, nor `but`. */
export function usersOfFlag(project: ProjectState, key: FlagKey, but: readonly FlagKey[] = []): string[] {
  const users = usersOf(project, { kind: "flag", name: key });
  return users.filter((user) => ![key, ...but].some((other) => user.startsWith(`flag ${other} `)));
}

export function usersOfSegment(project: ProjectState, key: SegmentKey): string[] {
  return usersOf(project, { kind: "segment", name: key }).filter((user) => user !== `segment ${key}`);
}

/** Keys of live flags of one environment that name a flag or a segment themselves. */
export function flagsNaming(project: ProjectState, environment: string, what: Named): FlagKey[] {
  return [...(project.environments.get(environment)?.naming.get(named(what)) ?? [])];
}

/**
 * Who names which flag and segment, after these flags took the place of an environment's: looked up at every edit, so it is
 * kept and not searched for.
 *
 * @param touched flags that may differ; all when absent.
 */
export function namesAfter(
  { snapshot, naming }: Pick<EnvironmentState, "snapshot" | "naming">,
  flags: ReadonlyMap<FlagKey, SnapshotFlag>,
  touched?: ReadonlySet<FlagKey>,
): EnvironmentState["naming"] {
  const after = LayeredMap.copy(touched === undefined ? new Map<string, ReadonlySet<FlagKey>>() : naming);
  for (const key of touched ?? flags.keys()) {
    const was = touched === undefined ? NOTHING : namesOf(snapshot.flags.get(key));
    const is = namesOf(flags.get(key));
    for (const name of was) if (!is.has(name)) after.put(name, without(after.get(name), key));
    for (const name of is) if (!was.has(name)) after.put(name, new Set(after.get(name)).add(key));
  }
  return after;
}

const NOTHING: ReadonlySet<string> = new Set();

function namesOf(flag: SnapshotFlag | undefined): ReadonlySet<string> {
  const uses = flag === undefined ? [] : usesOfTargeting(flag);
  const others = uses.filter(({ kind }) => kind === "flag" || kind === "segment");
  return others.length === 0 ? NOTHING : new Set(others.map(named));
}

function without(keys: ReadonlySet<FlagKey> | undefined, key: FlagKey): ReadonlySet<FlagKey> | undefined {
  const left = new Set(keys);
  left.delete(key);
  return left.size === 0 ? undefined : left;
}

function usersOf(project: ProjectState, what: Named): string[] {
  const flags = [...project.environments.keys()].flatMap((environment) =>
    flagsNaming(project, environment, what).map((key) => `flag ${key} in ${environment}`),
  );
  const segments = [...project.segments].filter(([, { body }]) => names(usesOfCondition(body.when), what));
  return [...flags, ...segments.map(([key]) => `segment ${key}`)];
}

function names(uses: readonly Use[], { kind, name }: Named): boolean {
  return uses.some((use) => use.kind === kind && use.name === name);
}
