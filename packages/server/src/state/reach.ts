/** What definitions of one environment depend on, and what depends on them, directly or through others. */
import type { FlagKey, SegmentKey } from "@belay/protocol";
import type { LiveSnapshot } from "./snapshots.ts";
import { named } from "./users.ts";
import { type Use, usesOfCondition, usesOfTargeting } from "./uses.ts";
import type { EnvironmentState } from "./workspace.ts";

/** Flags that a definition names, itself or through others: all that its check can depend on. */
export function flagsReachable(snapshot: LiveSnapshot, uses: readonly Use[]): ReadonlySet<FlagKey> {
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

/** These flags and all that name one of them, themselves or through others: whom an edit of them can break or mend. */
export function flagsReaching(
  { snapshot, naming }: Pick<EnvironmentState, "snapshot" | "naming">,
  keys: Iterable<FlagKey>,
): ReadonlySet<FlagKey> {
  const flags = new Set(keys);
  const names = new Set([...flags].map((name) => named({ kind: "flag", name })));
  // A set is walked to its end with what is added on the way.
  for (const name of names) {
    for (const key of naming.get(name) ?? []) {
      flags.add(key);
      names.add(named({ kind: "flag", name: key }));
    }
    for (const [key, condition] of Object.entries(snapshot.head.segments)) {
      if (usesOfCondition(condition).some((use) => named(use) === name)) names.add(named({ kind: "segment", name: key }));
    }
  }
  return flags;
}
