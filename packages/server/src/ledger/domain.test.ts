import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { LedgerLine } from "../store/events/index.ts";
import { type ArmAccount, accountOf, skewsOf, sumByArm } from "./domain.ts";

const NOW = 10_000_000;
const SILENT = 600_000;

const line = (over: Partial<LedgerLine>): LedgerLine => ({
  environment: "production",
  instance: "i1",
  experiment: "e",
  release: undefined,
  variant: "a",
  produced: 0,
  dropped: 0,
  stored: 0,
  duplicates: 0,
  ...over,
});

describe("an instance's account", () => {
  const sent = { produced: 100, stored: 60, dropped: 10 };
  test.each([
    ["heard just now", { ...sent, seenAtMs: NOW - 1 }, { produced: 100, stored: 60, dropped: 10, lost: 0, inFlight: 30 }],
    ["silent", { ...sent, seenAtMs: NOW - SILENT }, { produced: 100, stored: 60, dropped: 10, lost: 30, inFlight: 0 }],
    ["forgotten", sent, { produced: 100, stored: 60, dropped: 10, lost: 30, inFlight: 0 }],
    ["never reported", { stored: 7 }, { produced: 7, stored: 7, dropped: 0, lost: 0, inFlight: 0 }],
    ["gave up on what had come", { produced: 10, stored: 10, dropped: 4 }, { produced: 10, stored: 10, dropped: 0, lost: 0 }],
  ])("%s", (_, given, account) => {
    expect(accountOf(line(given), NOW, SILENT)).toMatchObject(account);
  });

  test("adds up, whatever the instances say, alone and summed: 1,000 fleets", () => {
    const count = fc.nat(1_000);
    const lines = fc.array(
      fc.record({ produced: count, dropped: count, stored: count, isHeard: fc.boolean(), variant: fc.constantFrom("a", "b") }),
      { maxLength: 20 },
    );
    fc.assert(
      fc.property(lines, (fleet) => {
        const accounts = fleet.map(({ isHeard, ...over }, index) =>
          accountOf(line({ ...over, instance: `i${index}`, ...(isHeard ? { seenAtMs: NOW } : {}) }), NOW, SILENT),
        );
        const arms = sumByArm(accounts);
        for (const { produced, stored, dropped, lost, inFlight } of [...accounts, ...arms]) {
          expect(stored + dropped + lost + inFlight).toBe(produced);
          expect(Math.min(stored, dropped, lost, inFlight)).toBeGreaterThanOrEqual(0);
        }
        const total = (of: readonly ArmAccount[]): number => of.reduce((sum, { produced }) => sum + produced, 0);
        expect(total(arms)).toBe(total(accounts));
      }),
      { numRuns: 1_000 },
    );
  });
});

describe("skews", () => {
  const arm = (variant: string, produced: number, lost: number): ArmAccount => ({
    experiment: "e",
    variant,
    produced,
    stored: produced - lost,
    dropped: 0,
    lost,
    inFlight: 0,
    duplicates: 0,
    late: 0,
  });
  const half = new Map([
    ["a", 1],
    ["b", 1],
  ]);
  test.each([
    ["even", arm("a", 10_000, 100), arm("b", 10_050, 110), half],
    ["even", arm("a", 10_000, 0), arm("b", 10_050, 0), half],
    ["skewed-loss", arm("a", 10_000, 100), arm("b", 10_050, 900), half],
    ["skewed-assignment", arm("a", 10_000, 100), arm("b", 9_000, 90), half],
    ["skewed-both", arm("a", 10_000, 100), arm("b", 9_000, 900), half],
    ["skewed-assignment", arm("a", 10_000, 0), arm("c", 1, 0), half],
    ["even", arm("a", 9_000, 0), arm("b", 1_000, 0), new Map([...half, ["a", 9]])],
    ["unknown", arm("a", 10_000, 100), arm("b", 10_050, 110), undefined],
    ["skewed-loss", arm("a", 10_000, 100), arm("b", 10_050, 900), undefined],
  ] as const)("%s", (verdict, a, b, weights) => {
    expect(skewsOf([a, b], () => weights)).toMatchObject([{ experiment: "e", verdict }]);
  });

  test("a loss of 9 % in one arm leaves the assignment's p-value as it was: 0.7244", () => {
    const [report] = skewsOf([arm("a", 10_000, 100), arm("b", 10_050, 900)], () => half);
    expect(report?.assignmentP).toBeCloseTo(0.724, 3);
    expect(report?.lossP).toBeLessThan(1e-100);
  });
});
