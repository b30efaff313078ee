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

/**
 * Does a flag name anything outside itself? Asked of every flag that arrives, so it makes no sets.
 *
 * @throws {Error} where the flag is too malformed to be read to its end
 */
export function namesOthers({ spaces = {}, prerequisites = [], rules, fallthrough }: SnapshotFlag): boolean {
  return (
    prerequisites.length > 0 ||
    (fallthrough !== undefined && servesOthers(fallthrough, spaces)) ||
    rules.some(({ when, serve }) => servesOthers(serve, spaces) || (when !== undefined && asksOthers(when, spaces)))
  );
}

type OwnSpaces = NonNullable<SnapshotFlag["spaces"]>;

function servesOthers(serve: Serve, own: OwnSpaces): boolean {
  return "split" in serve && serve.split.some(({ draws }) => draws.some(({ space }) => !Object.hasOwn(own, space)));
}

function asksOthers(condition: Condition, own: OwnSpaces): boolean {
  if ("attribute" in condition) return false;
  if ("all" in condition) return condition.all.some((inner) => asksOthers(inner, own));
  if ("any" in condition) return condition.any.some((inner) => asksOthers(inner, own));
  if ("not" in condition) return asksOthers(condition.not, own);
  if ("draw" in condition) return !Object.hasOwn(own, condition.draw.space);
  return true;
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
