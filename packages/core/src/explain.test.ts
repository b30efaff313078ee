import type { Snapshot, SnapshotFlag } from "@belay/protocol";
import { describe, expect, it } from "vitest";
import { explain } from "./explain.ts";
import { compile } from "./ruleset.ts";
import { snapshotOf } from "./vectors.fixture.ts";

const base = { type: "boolean", variants: { on: true, off: false }, enabled: true, off: "off" } as const;
const flags: Snapshot["flags"] = {
  dark: { ...base, enabled: false, rules: [] },
  german: {
    ...base,
    rules: [
      {
        id: "de",
        name: "Germany",
        when: { all: [{ attribute: "country", op: "in", value: ["DE", "AT", "CH", "LI", "LU", "IT"] }, { segment: "payers" }] },
        serve: { variant: "on" },
      },
    ],
    fallthrough: { variant: "off" },
  },
  rollout: {
    ...base,
    spaces: { share: { salt: "k3v9x2qa" } },
    rules: [{ id: "rollout", serve: { split: [{ variant: "on", draws: [{ space: "share", in: [[0, 250_000]] }] }] } }],
    fallthrough: { variant: "off" },
  },
  needs: { ...base, prerequisites: [{ flag: "german", variants: ["on"] }], rules: [], fallthrough: { variant: "on" } },
  broken: { ...base, rules: [], fallthrough: { variant: "dark" } },
  empty: { ...base, rules: [] },
};
const segments: Snapshot["segments"] = {
  payers: { any: [{ attribute: "plan", op: "in", value: "pro" }, { draw: { space: "holdout/h", in: [[0, 100]] } }] },
};
const ruleset = compile(snapshotOf({ flags, segments, spaces: { "holdout/h": { salt: "h0ld2026" } }, revision: 42 }));
const lines = (flag: string, context: object): readonly string[] => explain(ruleset, flag, context as never).lines;

describe("explain in words", () => {
  it.each<[string, object, readonly string[]]>([
    [
      "missing",
      {},
      [
        "missing in p/e at revision 42: serves the caller's default (ERROR, FLAG_NOT_FOUND)",
        "There is no flag with this key here, so the caller's default is served.",
      ],
    ],
    [
      "dark",
      {},
      [
        'dark in p/e at revision 42: serves "off" = false (DISABLED)',
        'The flag is disabled, so the off variant "off" is served.',
      ],
    ],
    [
      "broken",
      {},
      [
        "broken in p/e at revision 42: serves the caller's default (ERROR, PARSE_ERROR)",
        "The flag is not valid (unknown_variant at fallthrough.variant), so the caller's default is served.",
      ],
    ],
    [
      "empty",
      {},
      [
        "empty in p/e at revision 42: serves the caller's default (DEFAULT)",
        "No rule served, and the flag has no fallthrough: the caller's default is served.",
      ],
    ],
    [
      "german",
      { targetingKey: "user-1", country: "DE", plan: "pro" },
      [
        'german in p/e at revision 42: serves "on" = true (TARGETING_MATCH)',
        'Rule "de" (Germany) matches: it serves "on".',
        "  yes all of",
        '    yes country in ["DE", "AT", "CH", "LI", "LU", and 1 more]: the context has "DE"',
        '    yes in segment "payers"',
        "      yes any of",
        '        yes plan in "pro": the context has "pro"',
        '        no  targetingKey "user-1" falls on point 679419 of 1000000 in space "holdout/h" (salt "h0ld2026"), outside 0-0.01 %',
      ],
    ],
    [
      "needs",
      { country: "FR" },
      [
        'needs in p/e at revision 42: serves "off" = false (DISABLED)',
        'Prerequisite: flag "german" must serve "on", and serves "off". So the off variant "off" is served.',
      ],
    ],
    [
      "rollout",
      { targetingKey: "user-2" },
      [
        'rollout in p/e at revision 42: serves "off" = false (DEFAULT)',
        'Rule "rollout" is for everybody: no part of its split holds the unit, so it is passed over.',
        '  no  "on": targetingKey "user-2" falls on point 760947 of 1000000 in space "share" (salt "k3v9x2qa"), outside 0-25 %',
        'No rule served, so the fallthrough does: it serves "off".',
      ],
    ],
    [
      "rollout",
      {},
      [
        "rollout in p/e at revision 42: serves the caller's default (ERROR, TARGETING_KEY_MISSING)",
        'Rule "rollout" is for everybody: it splits by a unit that the context does not have.',
        '  no  "on": the context has no targetingKey to place in space "share"',
      ],
    ],
  ])("%s for %j", (flag, context, expected) => {
    expect(lines(flag, context)).toEqual(expected);
  });
});

describe("explain as data", () => {
  it("tells a segment once in full, and by its name where it comes again", () => {
    const twice: SnapshotFlag = {
      ...base,
      rules: [{ id: "r", when: { any: [{ not: { segment: "payers" } }, { segment: "payers" }] }, serve: { variant: "on" } }],
    };
    const told = explain(compile(snapshotOf({ flags: { twice }, segments, spaces: { "holdout/h": { salt: "h" } } })), "twice", {
      plan: "pro",
    });
    expect(JSON.stringify(told.steps).match(/"attribute":"plan"/g)).toHaveLength(1);
    expect(JSON.stringify(told.steps).match(/"segment":"payers"/g)).toHaveLength(2);
    expect(told.result.value).toBe(true);
  });

  it("counts no evaluation", () => {
    explain(ruleset, "german", { country: "DE" });
    expect(ruleset.takeCounts()).toEqual([]);
  });

  it("is JSON whatever the context holds", () => {
    const circular: { self?: unknown } = {};
    circular.self = circular;
    const seen = [circular, 10n, () => 1, Symbol("s"), new Date(0), Number.NaN, new Map()].map((country) => {
      const told = explain(ruleset, "german", { country } as never);
      expect(JSON.parse(JSON.stringify(told))).toEqual(told);
      return told.lines[3]?.split(": ")[1];
    });
    expect(seen).toEqual(
      ["object", "bigint", "function", "symbol", "1970-01-01T00:00:00.000Z", null, "an object"].map(
        (text) => `the context has ${JSON.stringify(text)}`,
      ),
    );
  });
});
