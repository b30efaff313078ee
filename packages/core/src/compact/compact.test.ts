import type { Snapshot } from "@belay/protocol";
import { describe, expect, it } from "vitest";
import type { CompileOptions } from "../definitions.ts";
import { compile } from "../ruleset.ts";
import { flagAsking, snapshotOf, vectors } from "../vectors.fixture.ts";
import { compacted, rendered, told } from "./compact.fixture.ts";
import { deciderOf, pointOf } from "./index.ts";

// Patterns are not for browsers: core without an engine calls them malformed too.
const NO_PATTERNS: CompileOptions = {};

describe("compact rules", () => {
  const { snapshots, cases } = vectors("evaluations.json");

  it("place every unit of the vectors", () => {
    const wrong = vectors("point.json").filter(({ salt, text, point }) => text !== undefined && pointOf(salt, text) !== point);
    expect(wrong).toEqual([]);
  });

  it("decide once for a context, and expose whom they decided for, whatever becomes of it", () => {
    const flag = {
      type: "boolean",
      variants: { on: true, off: false },
      enabled: true,
      spaces: { all: { salt: "abcdefgh" } },
      rules: [
        {
          id: "r",
          when: { attribute: "plan", op: "in", value: ["pro"] },
          serve: {
            split: [{ variant: "on", draws: [{ space: "all", in: [[0, 1_000_000]] }], tracks: { experiment: "x", epoch: 1 } }],
          },
        },
      ],
      fallthrough: { variant: "off" },
    } as const;
    const head = { format: 1, project: "p", environment: "e", revision: 1, spaces: {}, segments: {} } as const;
    const snapshot = rendered({ ...head, flags: { flag } } as unknown as Snapshot);
    const context = { targetingKey: "first", plan: "pro" };
    const decide = deciderOf(snapshot, context);
    const decided = decide("flag");
    Object.assign(context, { targetingKey: "second", plan: "free" });
    expect(decide("flag")).toBe(decided);
    expect([decided.value, decided.tracks?.unit()]).toEqual([true, "first"]);
    expect(deciderOf(snapshot, context)("flag").value).toBe(false);
  });

  it("answer every operator of the vectors as core does", () => {
    const asked = vectors("operators.json").filter(({ test }) => test.op !== "matches");
    const wrong = asked.filter(({ test, context }) => {
      const snapshot = snapshotOf({ flags: { flag: flagAsking(test) } });
      return told(compacted(rendered(snapshot)), "flag", context) !== told(compile(snapshot, NO_PATTERNS), "flag", context);
    });
    expect(wrong).toEqual([]);
    expect(asked.length).toBeGreaterThan(500);
  });

  it.each(Object.entries(snapshots))(
    "decide every flag of %s for every context of the vectors as core does",
    (scenario, snapshot) => {
      const asked = cases.filter((one) => one.scenario === scenario);
      const keys = [...new Set([...asked.map(({ flag }) => flag), ...Object.keys(snapshot.flags)])];
      const core = compile(snapshot, NO_PATTERNS);
      const rules = compacted(rendered(snapshot));
      const wrong: object[] = [];
      let decided = 0;
      for (const key of keys) {
        for (const { context } of asked) {
          const [is, should] = [told(rules, key, context), told(core, key, context)];
          if (is !== should) wrong.push({ key, context, is, should });
          decided++;
        }
      }
      expect(wrong.slice(0, 3)).toEqual([]);
      expect(decided).toBeGreaterThan(50);
    },
  );
});
