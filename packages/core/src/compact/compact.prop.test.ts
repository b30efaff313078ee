import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { contexts, KEYS, snapshots } from "../random-snapshot.fixture.ts";
import { compile } from "../ruleset.ts";
import { compacted, rendered, told } from "./compact.fixture.ts";
import { deciderOf } from "./index.ts";

const ASKED = [...KEYS, "missing"];
/** Enough to meet every form of definition; raise it for a night. */
const RUNS = 1_000;

describe("compact rules on random environments, contexts, hostile names and garbage", () => {
  it("decide as core does, whole outcomes and who is exposed", () => {
    let decided = 0;
    fc.assert(
      fc.property(snapshots, fc.array(contexts, { minLength: 3, maxLength: 3 }), (snapshot, asked) => {
        // Patterns are not for browsers: core without an engine calls them malformed too.
        const core = compile(structuredClone(snapshot));
        const rules = compacted(rendered(structuredClone(snapshot)));
        for (const key of ASKED) {
          for (const context of asked) {
            expect(told(rules, key, context)).toBe(told(core, key, context));
            decided++;
          }
        }
      }),
      { numRuns: RUNS },
    );
    expect(decided).toBe(RUNS * ASKED.length * 3);
  });

  it("never throw, whatever they are given without being rendered", () => {
    fc.assert(
      fc.property(snapshots, contexts, (snapshot, context) => {
        const decide = deciderOf(snapshot, context);
        for (const key of ASKED) expect(typeof decide(key).reason).toBe("string");
        // Values of variants are frozen: those of a flag, never what a hostile name finds on a prototype.
        expect([Object.isFrozen(Object.prototype), Object.isFrozen(Function.prototype)]).toEqual([false, false]);
      }),
      { numRuns: RUNS / 5 },
    );
  });
});
