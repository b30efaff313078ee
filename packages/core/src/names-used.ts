/** Which spaces, segments and flags a definition names, read from its JSON. */
import type { Condition, FlagKey, SegmentKey, Serve, SnapshotFlag, SpaceId } from "@belay/protocol";

export interface NamesUsed {
  readonly spaces: Set<SpaceId>;
  readonly segments: Set<SegmentKey>;
  readonly flags: Set<FlagKey>;
}

export function namesUsedByFlag(flag: SnapshotFlag): NamesUsed {
  return collect((names) => {
    for (const test of flag.prerequisites ?? []) names.flags.add(test.flag);
    for (const rule of flag.rules) {
      if (rule.when !== undefined) visitCondition(rule.when, names);
      visitServe(rule.serve, names);
    }
    if (flag.fallthrough !== undefined) visitServe(flag.fallthrough, names);
    for (const own of Object.keys(flag.spaces ?? {})) names.spaces.delete(own);
  });
}

export function namesUsedByCondition(condition: Condition): NamesUsed {
  return collect((names) => visitCondition(condition, names));
}

/** A malformed definition has what could be read of it up to the fault: it decides nothing, so it needs no more. */
function collect(visit: (names: NamesUsed) => void): NamesUsed {
  const names: NamesUsed = { spaces: new Set(), segments: new Set(), flags: new Set() };
  try {
    visit(names);
  } catch {
    return names;
  }
  return names;
}

function visitServe(serve: Serve, names: NamesUsed): void {
  if (!("split" in serve)) return;
  for (const part of serve.split) for (const draw of part.draws) names.spaces.add(draw.space);
}

function visitCondition(condition: Condition, names: NamesUsed): void {
  if ("all" in condition) for (const inner of condition.all) visitCondition(inner, names);
  else if ("any" in condition) for (const inner of condition.any) visitCondition(inner, names);
  else if ("not" in condition) visitCondition(condition.not, names);
  else if ("segment" in condition) names.segments.add(condition.segment);
  else if ("draw" in condition) names.spaces.add(condition.draw.space);
  else if ("flag" in condition) names.flags.add(condition.flag);
}
