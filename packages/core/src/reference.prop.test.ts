import type { EvaluationContext, Snapshot } from "@belay/protocol";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decider } from "../../../vectors/reference.mjs";
import { canonicalJson } from "./canonical-json.ts";
import { clientSnapshot } from "./client-snapshot.ts";
import { applyToSnapshot, diffSnapshots } from "./diff.ts";
import { explain } from "./explain.ts";
import { namesUsedByFlag } from "./names-used.ts";
import { contexts, KEYS, reordered, snapshots } from "./random-snapshot.fixture.ts";
import { compile, type Ruleset } from "./ruleset.ts";
import { answer, OPTIONS } from "./vectors.fixture.ts";

const ASKED = [...KEYS, "missing"];
/** Enough to meet every form of definition; raise it for a night. */
const RUNS = 1_000;
const someContexts = fc.array(contexts, { minLength: 3, maxLength: 3 });

function answers(ruleset: Ruleset, asked: readonly EvaluationContext[]): unknown[] {
  return ASKED.flatMap((key) => asked.map((context) => answer(ruleset, key, context)));
}

describe("core on random environments, contexts, hostile names and garbage", () => {
  it("decides as the reference does", () => {
    const reasons = new Map<string, number>();
    fc.assert(
      fc.property(snapshots, someContexts, (snapshot, asked) => {
        const ruleset = compile(structuredClone(snapshot), OPTIONS);
        const decide = decider(snapshot);
        for (const key of ASKED) {
          for (const context of asked) {
            const expected = decide(key, context);
            expect(answer(ruleset, key, context)).toEqual(expected);
            reasons.set(expected.errorCode ?? expected.reason, (reasons.get(expected.errorCode ?? expected.reason) ?? 0) + 1);
          }
        }
      }),
      { numRuns: RUNS },
    );
    // The dice must not have made nothing but garbage.
    for (const reason of ["DEFAULT", "DISABLED", "SPLIT", "STATIC", "TARGETING_MATCH", "PARSE_ERROR", "TARGETING_KEY_MISSING"]) {
      expect(reasons.get(reason) ?? 0, reason).toBeGreaterThan(30);
    }
  });

  it("explains what it decides", () => {
    fc.assert(
      fc.property(snapshots, contexts, (snapshot, context) => {
        const ruleset = compile(snapshot, OPTIONS);
        for (const key of ASKED) {
          const { tracks: _, ...expected } = answer(ruleset, key, context);
          const told = explain(ruleset, key, context);
          expect(told.result).toEqual(expected);
          expect(JSON.parse(JSON.stringify(told))).toEqual(told);
        }
      }),
      { numRuns: RUNS / 5 },
    );
  });

  it("decides the same whatever the order of flags and of JSON keys", () => {
    fc.assert(
      fc.property(snapshots, someContexts, (snapshot, asked) => {
        const ruleset = compile(structuredClone(snapshot), OPTIONS);
        expect(answers(compile(reordered(snapshot), OPTIONS), asked.map(reordered))).toEqual(answers(ruleset, asked));
      }),
      { numRuns: RUNS / 5 },
    );
  });

  it("decides after a change as if the new snapshot had been compiled, and names every flag that differs", () => {
    fc.assert(
      fc.property(snapshots, snapshots, someContexts, (before, later, asked) => {
        const after = { ...withoutNulls(later), revision: 2 };
        const first = withoutNulls(before);
        const change = diffSnapshots(first, after);
        const ruleset = compile(structuredClone(first), OPTIONS);
        const fresh = compile(structuredClone(after), OPTIONS);
        const earlier = new Map(ASKED.map((key) => [key, asked.map((context) => answer(ruleset, key, context))]));
        const affected = ruleset.apply(structuredClone(change));
        for (const key of ASKED) {
          const now = asked.map((context) => answer(ruleset, key, context));
          expect(now).toEqual(asked.map((context) => answer(fresh, key, context)));
          if (canonicalJson(now as never) !== canonicalJson(earlier.get(key) as never)) expect(affected).toContain(key);
        }
        expect(canonicalJson(applyToSnapshot(first, change) as never)).toBe(canonicalJson(after as never));
        expect(ruleset.revision).toBe(2);
      }),
      { numRuns: RUNS / 2 },
    );
  });

  it("decides visible flags in a client snapshot as in the whole one, unless they ask for a hidden flag", () => {
    fc.assert(
      fc.property(snapshots, someContexts, fc.subarray([...KEYS]), (snapshot, asked, visible) => {
        // Browsers have no pattern engine, so neither has the whole one here.
        const whole = compile(structuredClone(snapshot));
        const part = clientSnapshot(snapshot, (key) => visible.includes(key as (typeof KEYS)[number]));
        expect(Object.keys(part.flags).filter((key) => !visible.includes(key as (typeof KEYS)[number]))).toEqual([]);
        const ruleset = compile(part);
        for (const [key, flag] of Object.entries(part.flags)) {
          const isLeftOut = asksHidden(key, snapshot, new Set(Object.keys(part.flags)));
          if (isLeftOut || flag === null) continue;
          for (const context of asked) expect(answer(ruleset, key, context)).toEqual(answer(whole, key, context));
        }
      }),
      { numRuns: RUNS / 5 },
    );
  });
});

/** `null` is how a change says "gone", so a snapshot that differs by one has no change that says so. */
function withoutNulls(snapshot: Snapshot): Snapshot {
  const filled = (table: object): never =>
    Object.fromEntries(Object.entries(table).map(([name, value]) => [name, value ?? {}])) as never;
  return { ...snapshot, flags: filled(snapshot.flags), segments: filled(snapshot.segments), spaces: filled(snapshot.spaces) };
}

/** Does the flag ask, by itself or through flags and segments, for one that is not visible? */
function asksHidden(key: string, snapshot: Snapshot, visible: ReadonlySet<string>): boolean {
  const seen = new Set<string>();
  const waiting = [{ kind: "flags" as "flags" | "segments", name: key }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const id = `${next.kind}/${next.name}`;
    if (seen.has(id)) continue;
    seen.add(id);
    if (next.kind === "flags" && !visible.has(next.name)) return true;
    const definition: unknown = Object.hasOwn(snapshot[next.kind], next.name) ? snapshot[next.kind][next.name] : undefined;
    const probe = next.kind === "flags" ? definition : { rules: [{ id: "r", when: definition, serve: { variant: "" } }] };
    const names = namesUsedByFlag((probe ?? {}) as never);
    for (const name of names.flags) waiting.push({ kind: "flags", name });
    for (const name of names.segments) waiting.push({ kind: "segments", name });
  }
  return false;
}
