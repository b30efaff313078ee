import type { Part, Rule, SnapshotFlag } from "@belay/protocol";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compile, type Ruleset } from "./ruleset.ts";
import { snapshotOf } from "./vectors.fixture.ts";

const spaces = { share: { salt: "k3v9x2qa" }, other: { salt: "q7m2p4ra" } };
const variants = { a: "a", b: "b", c: "c" };
const flag = (rules: readonly Rule[], more: Partial<SnapshotFlag> = {}): SnapshotFlag => ({
  type: "string",
  variants,
  enabled: true,
  spaces,
  rules,
  ...more,
});
const lineOf = (ruleset: Ruleset): readonly (string | undefined)[] | undefined =>
  ruleset.find("flag")?.program.line?.outcomes.map((outcome) => outcome?.variant);
const compiled = (definition: SnapshotFlag): Ruleset => compile(snapshotOf({ flags: { flag: definition } }));
const part = (variant: string, ...ranges: [number, number][]): Part => ({ variant, draws: [{ space: "share", in: ranges }] });

describe("a flag as a line", () => {
  it.each<[string, SnapshotFlag, readonly (string | undefined)[] | undefined]>([
    [
      "a rollout",
      flag([{ id: "r", serve: { split: [part("a", [0, 250_000])] } }], { fallthrough: { variant: "b" } }),
      ["a", "b"],
    ],
    ["no fallthrough", flag([{ id: "r", serve: { split: [part("a", [0, 250_000])] } }]), ["a", undefined]],
    [
      "both ends",
      flag([{ id: "r", serve: { split: [part("a", [0, 100]), part("b", [999_900, 1_000_000])] } }], {
        fallthrough: { variant: "c" },
      }),
      ["a", "c", "b"],
    ],
    [
      "several ranges",
      flag([{ id: "r", serve: { split: [part("a", [0, 10], [20, 30], [40, 50])] } }], { fallthrough: { variant: "b" } }),
      ["a", "b", "a", "b", "a", "b"],
    ],
    [
      "touching ranges of one part",
      flag([{ id: "r", serve: { split: [part("a", [0, 10], [10, 30])] } }], { fallthrough: { variant: "b" } }),
      ["a", "b"],
    ],
    ["an empty range", flag([{ id: "r", serve: { split: [part("a", [5, 5])] } }], { fallthrough: { variant: "b" } }), ["b"]],
    [
      "parts that overlap: the first wins",
      flag([{ id: "r", serve: { split: [part("a", [0, 60]), part("b", [40, 100])] } }], { fallthrough: { variant: "c" } }),
      ["a", "b", "c"],
    ],
    [
      "rules one after the other",
      flag(
        [
          { id: "r", serve: { split: [part("a", [0, 10])] } },
          { id: "s", serve: { split: [part("b", [5, 20])] } },
        ],
        { fallthrough: { split: [part("c", [0, 1_000_000])] } },
      ),
      ["a", "b", "c"],
    ],
    [
      "a rule for everybody after",
      flag(
        [
          { id: "r", serve: { split: [part("a", [0, 10])] } },
          { id: "s", serve: { variant: "b" } },
        ],
        { fallthrough: { variant: "c" } },
      ),
      ["a", "b"],
    ],
    ["the whole space", flag([], { fallthrough: { split: [part("a", [0, 1_000_000])] } }), ["a"]],
    ["a condition: no line", flag([{ id: "r", when: { all: [] }, serve: { split: [part("a", [0, 10])] } }]), undefined],
    [
      "a plain rule first: no line",
      flag([
        { id: "r", serve: { variant: "a" } },
        { id: "s", serve: { split: [part("a", [0, 10])] } },
      ]),
      undefined,
    ],
    [
      "another unit: no line",
      flag([{ id: "r", serve: { split: [part("a", [0, 10])] } }], { spaces: { share: { salt: "s", by: "company" } } }),
      undefined,
    ],
    [
      "two spaces: no line",
      flag([
        { id: "r", serve: { split: [part("a", [0, 10])] } },
        { id: "s", serve: { split: [{ variant: "a", draws: [{ space: "other", in: [] }] }] } },
      ]),
      undefined,
    ],
    [
      "two draws: no line",
      flag([
        {
          id: "r",
          serve: {
            split: [
              {
                variant: "a",
                draws: [
                  { space: "share", in: [] },
                  { space: "other", in: [] },
                ],
              },
            ],
          },
        },
      ]),
      undefined,
    ],
    ["no draws: no line", flag([{ id: "r", serve: { split: [{ variant: "a", draws: [] }] } }]), undefined],
  ])("%s", (_, definition, expected) => {
    const ruleset = compiled(definition);
    expect(ruleset.defects()).toEqual([]);
    expect(lineOf(ruleset)).toEqual(expected);
  });

  it("decides as its parts do one by one, for any ranges", () => {
    const edges = fc.uniqueArray(fc.integer({ min: 0, max: 1_000_000 }), { maxLength: 12 });
    const ranges = edges.map((all) => {
      const sorted = all.sort((a, b) => a - b);
      return Array.from({ length: sorted.length >> 1 }, (_, i) => [sorted[2 * i], sorted[2 * i + 1]] as [number, number]);
    });
    const splits = fc.array(fc.array(fc.tuple(fc.constantFrom("a", "b", "c"), ranges), { minLength: 1, maxLength: 4 }), {
      minLength: 1,
      maxLength: 3,
    });
    fc.assert(
      fc.property(splits, fc.constantFrom(undefined, "a", "c"), (rules, rest) => {
        const folded: Rule[] = rules.map((parts, i) => ({
          id: `${i}`,
          serve: { split: parts.map(([variant, in_]) => part(variant, ...in_)) },
        }));
        const more = rest === undefined ? {} : { fallthrough: { variant: rest } };
        const line = compiled(flag(folded, more));
        // A condition that always holds keeps the flag from being one line, and a draw of another space keeps a split from it.
        const all: Part["draws"][number] = { space: "other", in: [[0, 1_000_000]] };
        const apart = folded.map(({ id, serve }) => ({
          id,
          when: { all: [] },
          serve: { split: "split" in serve ? serve.split.map((one) => ({ ...one, draws: [...one.draws, all] })) : [] },
        }));
        const parts = compiled(flag(apart, more));
        expect([lineOf(line) === undefined, lineOf(parts)]).toEqual([false, undefined]);
        for (let i = 0; i < 40; i++) {
          const context = { targetingKey: `user-${i}` };
          const { slot: _, tracks: __, ...one } = line.decide("flag", context);
          expect(parts.decide("flag", context)).toMatchObject(one);
        }
      }),
      { numRuns: 300 },
    );
  });
});
