import { expect, test } from "vitest";
import type { LedgerLine } from "../store/events/index.ts";
import { ledgerTotals } from "./totals.ts";

const NOW = 1_000_000;
const options = { nowMs: NOW, silentAfterMs: 1_000 };

const line = (over: Partial<LedgerLine>): LedgerLine => ({
  ...{ environment: "production", instance: "i", experiment: "e", release: undefined, variant: "on" },
  ...{ produced: 10, dropped: 1, stored: 7, duplicates: 3, late: 2, seenAtMs: NOW },
  ...over,
});

test("arms and instances are added up: what is missing is in flight while heard, and lost once silent", () => {
  const lines = [line({}), line({ variant: "off", instance: "j", seenAtMs: NOW - 1_000 }), line({ environment: "staging" })];
  expect(ledgerTotals(lines, options)).toEqual([
    {
      environment: "production",
      kind: "experiment",
      key: "e",
      counts: { produced: 20, stored: 14, dropped: 2, lost: 2, inFlight: 2, duplicates: 6, late: 4 },
    },
    {
      environment: "staging",
      kind: "experiment",
      key: "e",
      counts: { produced: 10, stored: 7, dropped: 1, lost: 0, inFlight: 2, duplicates: 3, late: 2 },
    },
  ]);
});

test("a thousand experiments and instances are a bounded number of series, the largest by name and nothing left out", () => {
  const lines = Array.from({ length: 1_000 }, (_, n) =>
    line({ instance: `i${n}`, experiment: `e${n}`, produced: n + 1, stored: n + 1, dropped: 0 }),
  );
  const releases = lines.map((one) => ({ ...one, experiment: undefined, release: one.experiment }));
  const totals = ledgerTotals([...lines, ...releases], { ...options, keysMax: 3 });
  expect(totals.map(({ kind, key, counts }) => [kind, key, counts.produced])).toEqual([
    ["experiment", "e999", 1_000],
    ["release", "e999", 1_000],
    ["experiment", "e998", 999],
    ["release", "(other)", 500_500 - 1_000],
    ["experiment", "(other)", 500_500 - 1_999],
  ]);
});
