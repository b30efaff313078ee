import type { Json, Snapshot, SnapshotFlag } from "@belay/protocol";
import { describe, expect, it } from "vitest";
import { checkFlag } from "./check.ts";
import type { Defect } from "./defect.ts";
import { OPERATORS } from "./operators.ts";
import { compile } from "./ruleset.ts";
import { OPTIONS, snapshotOf, vectors } from "./vectors.fixture.ts";

const fine = {
  type: "boolean",
  variants: { on: true, off: false },
  enabled: true,
  off: "off",
  spaces: { share: { salt: "k3v9x2qa" } },
  rules: [{ id: "r", serve: { split: [{ variant: "on", draws: [{ space: "share", in: [[0, 1]] }] }] } }],
  fallthrough: { variant: "off" },
} satisfies { [field: string]: Json };
const among = { spaces: {}, segments: {}, flags: {} };
const defectsOf = (flag: Json): Defect[] => checkFlag(flag as unknown as SnapshotFlag, among, "flag", OPTIONS);
const serving = (serve: Json): Json => ({ ...fine, rules: [{ id: "r", serve }] });
const part = (more: { [field: string]: Json }): Json => serving({ split: [{ variant: "on", draws: [], ...more }] });
const when = (condition: Json): Json => ({ ...fine, rules: [{ id: "r", when: condition, serve: { variant: "on" } }] });
const variants = ["on", "off"];

describe("defects say where, what was received, and what is allowed", () => {
  it.each<[string, Json, Partial<Defect>]>([
    ["a flag that is none", "on", { code: "invalid_field", field: "", received: "on" }],
    ["a list for a flag", [1, 2], { code: "invalid_field", field: "", received: "a list of 2" }],
    [
      "type",
      { ...fine, type: "json" },
      { code: "invalid_field", field: "type", received: "json", allowed: ["boolean", "string", "number", "object"] },
    ],
    ["variants", { ...fine, variants: null }, { code: "invalid_field", field: "variants", received: null }],
    [
      "a value's type",
      { ...fine, variants: { on: "true", off: false } },
      { code: "type_mismatch", field: "variants.on", received: "true", expected: "boolean" },
    ],
    ["enabled", { ...fine, enabled: 1 }, { code: "invalid_field", field: "enabled", received: 1 }],
    ["off", { ...fine, off: "dark" }, { code: "unknown_variant", field: "off", received: "dark", allowed: variants }],
    ["rules", { ...fine, rules: {} }, { code: "invalid_field", field: "rules", received: "an object" }],
    ["a rule's id", { ...fine, rules: [{ serve: { variant: "on" } }] }, { code: "invalid_field", field: "rules[0].id" }],
    [
      "a rule that serves nothing",
      serving({}),
      { code: "invalid_field", field: "rules[0].serve", allowed: "an object with `variant` or `split`" },
    ],
    [
      "a served variant",
      serving({ variant: "dark" }),
      { code: "unknown_variant", field: "rules[0].serve.variant", received: "dark", allowed: variants },
    ],
    [
      "fallthrough",
      { ...fine, fallthrough: { variant: "dark" } },
      { code: "unknown_variant", field: "fallthrough.variant", received: "dark" },
    ],
    [
      "a part's variant",
      part({ variant: "dark" }),
      { code: "unknown_variant", field: "rules[0].serve.split[0].variant", received: "dark" },
    ],
    ["a part's draws", part({ draws: 5 }), { code: "invalid_field", field: "rules[0].serve.split[0].draws", received: 5 }],
    ["a draw's space", part({ draws: [{ in: [] }] }), { code: "invalid_field", field: "rules[0].serve.split[0].draws[0].space" }],
    [
      "a draw's ranges",
      part({
        draws: [
          {
            space: "share",
            in: [
              [0, 10],
              [9, 20],
            ],
          },
        ],
      }),
      { code: "invalid_range", field: "rules[0].serve.split[0].draws[0].in", received: "a list of 2", allowed: [[0, 250_000]] },
    ],
    ["tracks", part({ tracks: {} }), { code: "invalid_field", field: "rules[0].serve.split[0].tracks", received: "an object" }],
    ["a salt", { ...fine, spaces: { share: { salt: 1 } } }, { code: "invalid_field", field: "spaces.share.salt", received: 1 }],
    [
      "what divides a space",
      { ...fine, spaces: { share: { salt: "s", by: "" } } },
      { code: "invalid_field", field: "spaces.share.by", received: "" },
    ],
    [
      "imported bucketing",
      { ...fine, spaces: { share: { salt: "s", legacy: { fn: "md5-8", points: 0, text: "" } } } },
      { code: "invalid_field", field: "spaces.share.legacy" },
    ],
    ["a condition", when({ xor: [] }), { code: "invalid_field", field: "rules[0].when", received: "an object" }],
    [
      "a condition of two forms",
      when({ all: [], not: { all: [] } }),
      { code: "invalid_field", field: "rules[0].when", reason: "it says all and not at once" },
    ],
    [
      "a condition deep inside",
      when({ all: [{ any: [{ not: 1 }] }] }),
      { code: "invalid_field", field: "rules[0].when.all[0].any[0].not", received: 1 },
    ],
    [
      "an attribute",
      when({ attribute: "", op: "in", value: 1 }),
      { code: "invalid_field", field: "rules[0].when.attribute", received: "" },
    ],
    [
      "an operator",
      when({ attribute: "a", op: "like", value: 1 }),
      { code: "unknown_operator", field: "rules[0].when.op", received: "like", allowed: OPERATORS },
    ],
    [
      "one value of a list",
      when({ attribute: "a", op: "in", value: [1, null] }),
      { code: "invalid_value", field: "rules[0].when.value[1]", received: null },
    ],
    [
      "a number's value",
      when({ attribute: "a", op: "lt", value: [1] }),
      { code: "invalid_value", field: "rules[0].when.value", received: "a list of 1", allowed: "one number or text" },
    ],
    [
      "a time's value",
      when({ attribute: "a", op: "after", value: "2026-02-30T00:00:00Z" }),
      { code: "invalid_value", field: "rules[0].when.value", received: "2026-02-30T00:00:00Z" },
    ],
    [
      "a version",
      when({ attribute: "a", op: "semverGt", value: "1.2" }),
      { code: "invalid_value", field: "rules[0].when.value", received: "1.2" },
    ],
    [
      "a block",
      when({ attribute: "a", op: "cidr", value: ["10.0.0.0/8", "10.0.0.0/33"] }),
      { code: "invalid_value", field: "rules[0].when.value", received: "10.0.0.0/33" },
    ],
    [
      "a pattern",
      when({ attribute: "a", op: "matches", value: "(" }),
      { code: "invalid_pattern", field: "rules[0].when.value", received: "(" },
    ],
    [
      "a flag test",
      when({ flag: "other", variants: "on" }),
      { code: "invalid_field", field: "rules[0].when.variants", received: "on" },
    ],
    [
      "a prerequisite",
      { ...fine, prerequisites: [{ variants: ["on"] }] },
      { code: "invalid_field", field: "prerequisites[0].flag" },
    ],
    [
      "two rules of one id",
      { ...fine, rules: [...fine.rules, ...fine.rules] },
      { code: "invalid_field", field: "rules[1].id", received: "r", reason: "another rule has this id" },
    ],
  ])("%s", (_, flag, expected) => {
    const defects = defectsOf(flag);
    expect(defects).toHaveLength(1);
    expect(defects[0]).toMatchObject(expected);
  });

  it("are all noted at once", () => {
    const flag = { ...fine, off: "dark", rules: [{ id: "r", serve: { variant: "grey" } }, { serve: {} }], fallthrough: {} };
    expect(defectsOf(flag).map(({ field }) => field)).toEqual(["off", "rules[0].serve.variant", "rules[1].id", "fallthrough"]);
  });

  it("are found in every malformed flag of the vectors, and in no other", () => {
    const { snapshots } = vectors("evaluations.json");
    for (const [scenario, snapshot] of Object.entries(snapshots)) {
      const ruleset = compile(snapshot, OPTIONS);
      const broken = ruleset.defects().map(({ flag }) => flag);
      const refused = Object.keys(snapshot.flags).filter(
        (key) => checkFlag(snapshot.flags[key] as SnapshotFlag, snapshot, key, OPTIONS).length > 0,
      );
      // What is refused is more than what is isolated: a variant that the other flag lacks decides, but is a mistake.
      expect(refused, scenario).toEqual(expect.arrayContaining(broken));
      expect(
        refused.filter((key) => !broken.includes(key)),
        scenario,
      ).toEqual(REFUSED_ONLY[scenario] ?? []);
    }
  });
});

const REFUSED_ONLY: { readonly [scenario: string]: readonly string[] } = {
  prerequisites: ["needs-unknown-variant"],
  "broken-prerequisites": ["needs-malformed", "asks-malformed"],
};

describe("values", () => {
  it("are frozen to the last, so that no caller changes another's", () => {
    const flag = {
      type: "object",
      variants: { o: { a: [{ b: 1 }] } },
      enabled: true,
      rules: [],
      fallthrough: { variant: "o" },
    } as const;
    const value = compile(snapshotOf({ flags: { flag } as Snapshot["flags"] })).decide("flag", {}).value as {
      a: { b: number }[];
    };
    expect(() => {
      (value.a[0] as { b: number }).b = 2;
    }).toThrow(TypeError);
    expect(value).toEqual({ a: [{ b: 1 }] });
  });
});
