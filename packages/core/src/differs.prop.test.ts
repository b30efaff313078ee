import type { EvaluationContext, Json, Part, Rule, Serve, Snapshot, SnapshotFlag, Tracks } from "@belay/protocol";
import fc from "fast-check";
import { expect, it } from "vitest";
import { canonicalJson } from "./canonical-json.ts";
import { clientSnapshot } from "./client-snapshot.ts";
import { deciderOf } from "./compact/index.ts";
import { contexts, KEYS, snapshots } from "./random-snapshot.fixture.ts";
import { compile } from "./ruleset.ts";

/** Enough to meet every kind of exposure dozens of times; raise it for a night. */
const RUNS = 1_000;

it("says of every exposure what evaluating the flag without its arm, or with another one, comes to", () => {
  const seen = { several: 0, single: 0, differing: 0, alike: 0, stamped: 0, left: 0 };
  fc.assert(
    fc.property(snapshots.map(withOwnRuleIds), fc.array(contexts, { minLength: 4, maxLength: 4 }), (snapshot, asked) => {
      const ruleset = compile(snapshot);
      const rendered = clientSnapshot(snapshot, () => true);
      for (const key of KEYS) {
        for (const context of asked) {
          const outcome = ruleset.decide(key, context);
          if (outcome.tracks === undefined) {
            expect(ruleset.differs(key, outcome, context)).toBeUndefined();
            continue;
          }
          const { isSingle, differs } = byBruteForce(snapshot, key, outcome, context);
          expect(ruleset.differs(key, outcome, context)).toBe(differs);
          seen[isSingle ? "single" : "several"] += 1;
          seen[differs ? "differing" : "alike"] += 1;
          const stamp = deciderOf(rendered, context)(key).tracks?.arm.differs;
          expect(stamp ?? differs).toBe(differs);
          seen[stamp === undefined ? "left" : "stamped"] += 1;
          if (!isSingle) expect(stamp).toBe(differs);
        }
      }
    }),
    { numRuns: RUNS, seed: 20_261_123 },
  );
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan(20);
});

/** What other definitions of the flag serve: one for each arm that gives everybody that arm, or one without the arm. */
function byBruteForce(
  snapshot: Snapshot,
  key: string,
  { ruleId, tracks }: { readonly ruleId: string | undefined; readonly tracks: unknown },
  context: EvaluationContext,
): { readonly isSingle: boolean; readonly differs: boolean } {
  const flag = snapshot.flags[key] as SnapshotFlag;
  const serving = (ruleId === undefined ? flag.fallthrough : flag.rules.find(({ id }) => id === ruleId)?.serve) as {
    readonly split: readonly Part[];
  };
  const subject = nameOf(tracks as Tracks);
  const isArm = (part: Part): boolean => part.tracks !== undefined && nameOf(part.tracks) === subject;
  const valueWith = (split: readonly Part[]): Json | undefined => {
    const inPlace = (serve: Serve): Serve => (serve === serving ? { split } : serve);
    const rules = flag.rules.map((rule): Rule => ({ ...rule, serve: inPlace(rule.serve) }));
    const fallthrough = flag.fallthrough && inPlace(flag.fallthrough);
    const other = { ...flag, rules, ...(fallthrough === undefined ? {} : { fallthrough }) };
    const flags = Object.fromEntries(Object.entries(snapshot.flags).map(([name, one]) => [name, name === key ? other : one]));
    return compile({ ...snapshot, flags }).peek(key, context).value;
  };
  const variants = [...new Set(serving.split.filter(isArm).map(({ variant }) => variant))];
  const isSingle = variants.length === 1;
  const values = isSingle
    ? [valueWith([{ variant: variants[0] as string, draws: [] }]), valueWith(serving.split.filter((part) => !isArm(part)))]
    : variants.map((variant) => valueWith([{ variant, draws: [] }]));
  const texts = values.map((value) => (value === undefined ? undefined : canonicalJson(value)));
  return { isSingle, differs: texts.includes(undefined) || new Set(texts).size > 1 };
}

function nameOf({ experiment, release }: { readonly experiment?: string; readonly release?: string }): string {
  return JSON.stringify([experiment, release]);
}

/** Rules named by their place, so that the one that served is known. */
function withOwnRuleIds(snapshot: Snapshot): Snapshot {
  const flags = Object.entries(snapshot.flags).map(([key, flag]) => {
    if (typeof flag !== "object" || flag === null || !Array.isArray(flag.rules)) return [key, flag] as const;
    const rules = flag.rules.map((rule, i) => (typeof rule === "object" && rule !== null ? { ...rule, id: `r${i}` } : rule));
    return [key, { ...flag, rules }] as const;
  });
  return { ...snapshot, flags: Object.fromEntries(flags) };
}
