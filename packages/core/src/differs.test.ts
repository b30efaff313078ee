import type { EvaluationContext, Part, SnapshotFlag } from "@belay/protocol";
import { describe, expect, it } from "vitest";
import { clientSnapshot } from "./client-snapshot.ts";
import { compile } from "./ruleset.ts";
import { snapshotOf } from "./vectors.fixture.ts";

const arm = (variant: string, in_: Part["draws"][number]["in"], tracks: Part["tracks"]): Part => ({
  variant,
  draws: [{ space: "share", in: in_ }],
  ...(tracks === undefined ? {} : { tracks }),
});
const ALL = [[0, 1_000_000]] as const;
const HALVES = [[[0, 500_000]], [[500_000, 1_000_000]]] as const;
const experiment = { experiment: "e", epoch: 3 };
const release = { release: "r", epoch: 4 };
const german = { attribute: "country", op: "in", value: "DE" } as const;

const flagOf = (over: Partial<SnapshotFlag>): SnapshotFlag => ({
  type: "string",
  variants: { a: "x", b: "x", c: "y", old: "z" },
  enabled: true,
  spaces: { share: { salt: "k3v9x2qa" } },
  rules: [],
  fallthrough: { variant: "old" },
  ...over,
});

function differsOf(flag: SnapshotFlag, context: EvaluationContext): boolean | undefined {
  const ruleset = compile(snapshotOf({ flags: { flag } }));
  return ruleset.differs("flag", ruleset.decide("flag", context), context);
}

/** What a browser gets stamped, in the order of the split's parts. */
function stampsOf(flag: SnapshotFlag): unknown[] {
  const rendered = clientSnapshot(snapshotOf({ flags: { flag } }), () => true).flags["flag"];
  const [rule] = rendered?.rules ?? [];
  return rule !== undefined && "split" in rule.serve ? rule.serve.split.map(({ tracks }) => tracks?.differs) : [];
}

const split = (...parts: Part[]): Pick<SnapshotFlag, "rules"> => ({ rules: [{ id: "r1", serve: { split: parts } }] });
const people = Array.from({ length: 40 }, (_, i) => ({ targetingKey: `user-${i}` }));

describe("differs", () => {
  it("is the same in every arm: true where any two serve other values, also in the two that agree", () => {
    const [first, second] = [[0, 300_000] as const, [300_000, 600_000] as const];
    const three = flagOf(
      split(arm("a", [first], experiment), arm("b", [second], experiment), arm("c", [[600_000, 1_000_000]], experiment)),
    );
    expect(new Set(people.map((person) => differsOf(three, person)))).toEqual(new Set([true]));
    expect(stampsOf(three)).toEqual([true, true, true]);
  });

  it("is false where the arms' values are the same under other names", () => {
    const alike = flagOf(split(arm("a", HALVES[0], experiment), arm("b", HALVES[1], experiment)));
    expect(new Set(people.map((person) => differsOf(alike, person)))).toEqual(new Set([false]));
    expect(stampsOf(alike)).toEqual([false, false]);
  });

  it("compares objects by what they hold, whatever the order of their keys", () => {
    const variants = { a: { n: 1, list: [1] }, b: { list: [1], n: 1 }, old: {} };
    const alike = flagOf({
      type: "object",
      variants,
      ...split(arm("a", HALVES[0], experiment), arm("b", HALVES[1], experiment)),
    });
    expect(differsOf(alike, { targetingKey: "user-1" })).toBe(false);
  });

  it("of a single arm is a question to the rules behind it: who has the value anyway is not affected", () => {
    const flag = flagOf({
      rules: [
        { id: "r1", serve: { split: [arm("a", ALL, release)] } },
        { id: "r2", when: german, serve: { variant: "b" } },
      ],
    });
    expect(differsOf(flag, { targetingKey: "user-1", country: "DE" })).toBe(false);
    expect(differsOf(flag, { targetingKey: "user-1", country: "AT" })).toBe(true);
    expect(stampsOf(flag)).toEqual([undefined]);
  });

  it("of a single arm is known beforehand where nothing behind it asks who it is", () => {
    expect(stampsOf(flagOf(split(arm("a", HALVES[0], release))))).toEqual([true]);
    expect(stampsOf(flagOf({ ...split(arm("a", HALVES[0], release)), fallthrough: { variant: "b" } }))).toEqual([false]);
  });

  it("counts the caller's default as another value, since nobody here knows it", () => {
    const { fallthrough: _, ...flag } = flagOf(split(arm("a", HALVES[0], release)));
    expect(stampsOf(flag)).toEqual([true]);
  });

  it("goes on in the same split: what holds the unit there is what it would have got", () => {
    const behind = flagOf(split(arm("a", ALL, release), { variant: "b", draws: [] }));
    expect(differsOf(behind, { targetingKey: "user-1" })).toBe(false);
  });

  it("is not known where the context throws, and never throws itself", () => {
    const flag = flagOf({
      rules: [
        { id: "r1", serve: { split: [arm("a", ALL, release)] } },
        { id: "r2", when: german, serve: { variant: "b" } },
      ],
    });
    const hostile = {
      targetingKey: "user-1",
      get country(): string {
        throw new Error("no");
      },
    };
    expect(differsOf(flag, hostile)).toBeUndefined();
  });
});
