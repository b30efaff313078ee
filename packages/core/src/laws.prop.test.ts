import type { Part, Rule, SnapshotFlag } from "@belay/protocol";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { ppmFromPercent } from "./placement.ts";
import { compile, type Ruleset } from "./ruleset.ts";
import { snapshotOf } from "./vectors.fixture.ts";

const IDS = 100_000;
const ids = Array.from({ length: IDS }, (_, i) => ({ targetingKey: `user-${i}` }));

const flag = (split: readonly Part[], more: Partial<SnapshotFlag> = {}): SnapshotFlag => ({
  type: "boolean",
  variants: { on: true, off: false },
  enabled: true,
  off: "off",
  spaces: { share: { salt: "k3v9x2qa" }, split: { salt: "q7m2p4ra" } },
  rules: [{ id: "r", serve: { split } }],
  fallthrough: { variant: "off" },
  ...more,
});
const rollout = (ppm: number, salt = "k3v9x2qa"): SnapshotFlag =>
  flag([{ variant: "on", draws: [{ space: "share", in: [[0, ppm]] }] }], { spaces: { share: { salt } } });
const rulesetOf = (flags: { readonly [key: string]: SnapshotFlag }): Ruleset => compile(snapshotOf({ flags }));
/** Who of the people is served `true`: 1 for each. */
const served = (definition: SnapshotFlag, people: readonly { readonly targetingKey: string }[] = ids): Uint8Array => {
  const ruleset = rulesetOf({ flag: definition });
  return Uint8Array.from(people, (person) => Number(ruleset.decide("flag", person).value));
};
const countOf = (flags: Uint8Array): number => flags.reduce((sum, one) => sum + one, 0);
const leavers = (before: Uint8Array, after: Uint8Array): number =>
  before.reduce((sum, one, i) => sum + Number(one === 1 && after[i] === 0), 0);

describe("a share", () => {
  const people = ids.slice(0, 300);

  it("moves nobody out when it is raised, in any sequence of raises", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 1_000_000 }), { minLength: 2, maxLength: 8 }),
        fc.string(),
        (shares, salt) => {
          const steps = shares.sort((a, b) => a - b).map((share) => served(rollout(share, salt), people));
          for (const [i, step] of steps.entries()) expect(leavers(step, steps[i + 1] ?? step)).toBe(0);
        },
      ),
      { numRuns: 200 },
    );
  });

  it("restores the same people when it is lowered and raised again", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1_000_000 }), fc.integer({ min: 0, max: 1_000_000 }), (share, between) => {
        const ruleset = rulesetOf({ flag: rollout(share) });
        const who = (): unknown[] => people.map((person) => ruleset.decide("flag", person).value);
        const before = who();
        for (const [from, to, revision] of [
          [share, between, 2],
          [between, share, 3],
        ] as const) {
          const change = { ...snapshotOf({ flags: { flag: rollout(to) }, revision }), from: revision - 1 };
          expect([from, ruleset.apply(change)]).toEqual([from, ["flag"]]);
        }
        expect(who()).toEqual(before);
      }),
      { numRuns: 100 },
    );
  });

  // Five standard deviations of the binomial: wrong once in millions, and the ids are fixed.
  it.each([
    [10_000, 158],
    [100, 16],
  ])("of %i ppm holds its part of 100,000 ids within %i", (ppm, bound) => {
    for (const salt of ["k3v9x2qa", "q7m2p4ra", "b5t8w1zc"]) {
      expect(Math.abs(countOf(served(rollout(ppm, salt))) - (IDS * ppm) / 1_000_000)).toBeLessThanOrEqual(bound);
    }
  });

  it("of 0 ppm holds nobody, of 1,000,000 everybody", () => {
    expect([countOf(served(rollout(0))), countOf(served(rollout(1_000_000)))]).toEqual([0, IDS]);
  });
});

/** Chi-square of a table of counts with the given expectations; the critical values are those of p = 0.001. */
const chiSquare = (seen: readonly number[], expected: readonly number[]): number =>
  seen.reduce((sum, count, i) => sum + (count - (expected[i] ?? 0)) ** 2 / (expected[i] ?? 1), 0);
const CRITICAL = { df1: 10.83, df9: 27.88, df99: 148.23 };

describe("fault 12: two spaces", () => {
  it("are independent: chi-square of the 2x2 table of two 50 % flags over 100,000 ids has p > 0.001", () => {
    const [a, b] = [served(rollout(500_000, "k3v9x2qa")), served(rollout(500_000, "q7m2p4ra"))];
    const cells = [0, 0, 0, 0];
    for (const [i, one] of a.entries()) cells[one * 2 + (b[i] ?? 0)] = (cells[one * 2 + (b[i] ?? 0)] ?? 0) + 1;
    const rows = [0, 1].map((row) => (cells[row * 2] ?? 0) + (cells[row * 2 + 1] ?? 0));
    const columns = [0, 1].map((column) => (cells[column] ?? 0) + (cells[2 + column] ?? 0));
    const expected = [0, 1, 2, 3].map((cell) => ((rows[cell >> 1] ?? 0) * (columns[cell & 1] ?? 0)) / IDS);
    expect(chiSquare(cells, expected)).toBeLessThan(CRITICAL.df1);
  });

  it("let a 10 % share reach all 100 variants of a split alike", () => {
    const variants = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`v${i}`, i]));
    const split = Object.keys(variants).map((variant, i) => ({
      variant,
      draws: [
        { space: "share", in: [[0, 100_000]] as [number, number][] },
        { space: "split", in: [[i * 10_000, (i + 1) * 10_000]] as [number, number][] },
      ],
    }));
    const { fallthrough: _, off: __, ...rest } = flag(split);
    const ruleset = rulesetOf({ flag: { ...rest, type: "number", variants } });
    const seen = new Array<number>(100).fill(0);
    for (const person of ids) {
      const { value } = ruleset.decide("flag", person);
      if (typeof value === "number") seen[value] = (seen[value] ?? 0) + 1;
    }
    const inside = seen.reduce((sum, count) => sum + count);
    expect(Math.min(...seen)).toBeGreaterThan(0);
    expect(
      chiSquare(
        seen,
        seen.map(() => inside / 100),
      ),
    ).toBeLessThan(CRITICAL.df99);
  });

  it("spread ids over the ten tenths of one space alike", () => {
    const tenths = Array.from({ length: 10 }, (_, i) =>
      served(flag([{ variant: "on", draws: [{ space: "share", in: [[i * 100_000, (i + 1) * 100_000]] }] }])),
    );
    const seen = tenths.map(countOf);
    expect(seen.reduce((sum, count) => sum + count)).toBe(IDS);
    expect(
      chiSquare(
        seen,
        seen.map(() => IDS / 10),
      ),
    ).toBeLessThan(CRITICAL.df9);
  });
});

describe("a comparison rollout", () => {
  const tracks = { release: "rel", epoch: 1 };
  const comparison = (share: number): SnapshotFlag =>
    flag([
      { variant: "on", draws: [{ space: "share", in: [[0, share]] }], tracks },
      { variant: "off", draws: [{ space: "share", in: [[1_000_000 - Math.min(share, 1_000_000 - share), 1_000_000]] }], tracks },
    ]);
  /** The arm of each: `on`, `off`, or none for the untracked middle. */
  const arms = (share: number, people: readonly { readonly targetingKey: string }[]): (string | undefined)[] => {
    const ruleset = rulesetOf({ flag: comparison(share) });
    return people.map((person) => ruleset.decide("flag", person).tracks?.variant);
  };

  it("moves nobody from one arm to the other while the share rises to 50 %", () => {
    const people = ids.slice(0, 500);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 500_000 }), { minLength: 2, maxLength: 6 }), (shares) => {
        const steps = shares.sort((a, b) => a - b).map((share) => arms(share, people));
        for (const [i, step] of steps.entries()) {
          const next = steps[i + 1] ?? step;
          expect(step.filter((arm, person) => arm !== undefined && arm !== next[person])).toEqual([]);
        }
      }),
      { numRuns: 100 },
    );
  });

  it("keeps both arms equally large up to 50 %, and leaves nobody in the middle at 50 %", () => {
    for (const share of [10_000, 100_000, 250_000, 500_000]) {
      const all = arms(share, ids);
      const [on, off] = ["on", "off"].map((arm) => all.filter((one) => one === arm).length) as [number, number];
      expect(Math.abs(on - off)).toBeLessThan(5 * Math.sqrt((2 * IDS * share) / 1_000_000));
      if (share === 500_000) expect(on + off).toBe(IDS);
    }
  });
});

describe("fault 9: a ramp of 5, 10, 25, 50, 100 % over 100,000 ids", () => {
  const percents = [1, 5, 10, 25, 50, 100] as const;
  let steps: Uint8Array[] = [];
  beforeAll(() => {
    steps = percents.map((percent) => served(rollout(ppmFromPercent(percent) ?? Number.NaN)));
  });

  it("moves nobody out at any step", () => {
    expect(steps.map((step, i) => leavers(step, steps[i + 1] ?? step))).toEqual([0, 0, 0, 0, 0, 0]);
  });

  it("holds the share within 0.3 points, within 0.1 at 1 %", () => {
    const errors = steps.map((step, i) => Math.abs((countOf(step) / IDS) * 100 - (percents[i] ?? 0)));
    expect(errors.filter((points, i) => points > (percents[i] === 1 ? 0.1 : 0.3))).toEqual([]);
  });
});

describe("fault 10: a ramp stopped at 25 %, set to 0, then to 25 again", () => {
  it("serves the same people: 100 % overlap of 100,000", () => {
    const before = served(rollout(250_000));
    expect(countOf(served(rollout(0)))).toBe(0);
    expect(served(rollout(250_000))).toEqual(before);
  });
});

describe("fault 11: a flag that is renamed, cloned, moved through JSON or edited", () => {
  const people = ids.slice(0, 10_000);
  const before = served(rollout(300_000), people);
  const rules: readonly Rule[] = [
    { id: "new", when: { attribute: "beta", op: "in", value: true }, serve: { variant: "on" } },
    ...rollout(300_000).rules,
  ];

  it.each([
    ["renamed", { other: rollout(300_000) }],
    ["cloned", { flag: rollout(1), other: structuredClone(rollout(300_000)) }],
    ["exported and imported", { other: JSON.parse(JSON.stringify(rollout(300_000))) as SnapshotFlag }],
    ["edited", { other: { ...rollout(300_000), rules, variants: { other: true, on: true, off: false } } }],
  ])("keeps the place of 10,000 ids: %s", (_, flags) => {
    const ruleset = rulesetOf(flags);
    const now = Uint8Array.from(people, (person) => Number(ruleset.decide("other", person).value));
    expect(now).toEqual(before);
  });

  it("moves people when the salt changes, as re-randomising says it does", () => {
    const moved = served(rollout(300_000, "an0thers"), people).filter((one, i) => one !== before[i]).length;
    // Two independent 30 % shares differ for 2 * 0.3 * 0.7 = 42 % of all.
    expect(moved).toBeGreaterThan(3_900);
    expect(moved).toBeLessThan(4_500);
  });
});
