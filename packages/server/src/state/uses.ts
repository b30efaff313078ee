import type { Condition, FlagTest, Serve, Targeting } from "@belay/protocol";

/** Something a definition names, with the path at which it names it. */
export interface Use {
  readonly kind: "flag" | "segment" | "attribute" | "matches" | "space";
  readonly name: string;
  readonly field: string;
}

// Definitions are immutable, so what they use is found once.
const found = new WeakMap<object, readonly Use[]>();

/** Everything a targeting names. */
export function usesOfTargeting(targeting: Targeting): readonly Use[] {
  return remembered(targeting, () => [...walkTargeting(targeting)]);
}

/** Everything a segment's condition names. */
export function usesOfCondition(condition: Condition): readonly Use[] {
  return remembered(condition, () => [...walkCondition(condition, "when")]);
}

function remembered(definition: object, find: () => Use[]): readonly Use[] {
  let uses = found.get(definition);
  if (uses === undefined) {
    uses = find();
    found.set(definition, uses);
  }
  return uses;
}

function* walkTargeting({ prerequisites = [], rules, fallthrough }: Targeting): Generator<Use> {
  for (const [index, test] of prerequisites.entries()) yield flagUse(test, `prerequisites[${index}]`);
  for (const [index, { when, serve }] of rules.entries()) {
    if (when !== undefined) yield* walkCondition(when, `rules[${index}].when`);
    yield* walkServe(serve, `rules[${index}].serve`);
  }
  if (fallthrough !== undefined) yield* walkServe(fallthrough, "fallthrough");
}

function* walkServe(serve: Serve, field: string): Generator<Use> {
  if (!("split" in serve)) return;
  for (const [p, part] of serve.split.entries()) {
    for (const [d, draw] of part.draws.entries()) {
      yield { kind: "space", name: draw.space, field: `${field}.split[${p}].draws[${d}].space` };
    }
  }
}

function* walkCondition(condition: Condition, field: string): Generator<Use> {
  if ("all" in condition) yield* walkList(condition.all, `${field}.all`);
  else if ("any" in condition) yield* walkList(condition.any, `${field}.any`);
  else if ("not" in condition) yield* walkCondition(condition.not, `${field}.not`);
  else if ("segment" in condition) yield { kind: "segment", name: condition.segment, field: `${field}.segment` };
  else if ("draw" in condition) yield { kind: "space", name: condition.draw.space, field: `${field}.draw.space` };
  else if ("flag" in condition) yield flagUse(condition, field);
  else {
    yield { kind: "attribute", name: condition.attribute, field: `${field}.attribute` };
    if (condition.op === "matches") yield { kind: "matches", name: condition.attribute, field: `${field}.op` };
  }
}

function* walkList(conditions: readonly Condition[], field: string): Generator<Use> {
  for (const [index, condition] of conditions.entries()) yield* walkCondition(condition, `${field}[${index}]`);
}

const flagUse = ({ flag }: FlagTest, field: string): Use => ({ kind: "flag", name: flag, field: `${field}.flag` });
