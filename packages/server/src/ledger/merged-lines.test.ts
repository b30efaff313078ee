import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { LedgerLine } from "../store/events/index.ts";
import { accountOf, sumByArm } from "./domain.ts";
import { boundedLines, linesLeft, mergedLines } from "./merged-lines.ts";

const NOW = 1_000_000_000;
const SILENT_MS = 600_000;
const line = (more: Partial<LedgerLine>): LedgerLine => ({
  ...{ environment: "production", instance: "i", experiment: undefined, release: "checkout", variant: "on" },
  ...{ produced: 0, dropped: 0, stored: 0, duplicates: 0, ...more },
});
const armsOf = (lines: readonly LedgerLine[]) => sumByArm(lines.map((one) => accountOf(one, NOW, SILENT_MS)));

describe("lines of several servers", () => {
  it("of an instance that went from one to another lose nothing: the newest word, and what each stored", () => {
    const first = line({ produced: 60, dropped: 1, stored: 55, duplicates: 2, late: 3, seenAtMs: NOW - 3_600_000 });
    const then = line({ produced: 100, dropped: 4, stored: 41, duplicates: 1, seenAtMs: NOW });
    const merged = line({ produced: 100, dropped: 4, stored: 96, duplicates: 3, late: 3, seenAtMs: NOW });
    expect(mergedLines([first, then])).toEqual([merged]);
    expect(mergedLines([then, first])).toEqual([merged]);
    // Read one by one they would be 5 and 55 lost.
    expect(armsOf([first, then]).map(({ produced, lost, inFlight }) => [produced, lost, inFlight])).toEqual([[160, 4, 55]]);
    expect(armsOf([merged]).map(({ produced, lost, inFlight }) => [produced, lost, inFlight])).toEqual([[100, 0, 0]]);
  });

  it("are apart where anything of their name is", () => {
    const apart = [
      line({}),
      line({ instance: "j" }),
      line({ variant: "off" }),
      line({ environment: "staging" }),
      line({ release: undefined, experiment: "checkout" }),
    ];
    expect(mergedLines(apart)).toEqual(apart);
  });

  it("are those of one server that took everything in, however events and reports were spread", () => {
    const step = fc.record({ server: fc.nat(3), made: fc.nat(5), arrives: fc.boolean(), isReported: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const blank = (): { produced: number; stored: number } => ({ produced: 0, stored: 0 });
        const servers = [blank(), blank(), blank(), blank()];
        const all = blank();
        let made = 0;
        for (const { server, made: more, arrives, isReported } of steps) {
          made += more;
          for (const at of [servers[server] ?? all, all]) {
            if (arrives) at.stored += more;
            if (isReported) at.produced = made;
          }
        }
        expect(mergedLines(servers.map(line))).toEqual([line(all)]);
      }),
    );
  });
});

describe("lines beyond the bound", () => {
  const many = Array.from({ length: 1_000 }, (_, at) =>
    line({
      instance: `i${at}`,
      variant: at % 2 === 0 ? "on" : "off",
      produced: 10,
      stored: at % 3 === 0 ? 12 : 8,
      dropped: 1,
      ...(at === 0 ? {} : { seenAtMs: NOW - at * 10_000 }),
    }),
  );

  it("become a few that add up to the same, those heard last staying as they are", () => {
    const bounded = boundedLines(many, { server: "b", now: NOW, max: 100 });
    expect(bounded.slice(0, 100)).toEqual(many.slice(1, 101));
    // Two arms, heard 10, 20, .. 50 minutes ago or longer.
    expect(bounded).toHaveLength(100 + 2 * 6);
    expect(new Set(bounded.map(({ instance }) => instance)).size).toBe(100 + 6);
    expect(armsOf(bounded)).toEqual(armsOf(many));
  });

  it("are as they came up to it", () => {
    expect(boundedLines(many, { server: "b", now: NOW, max: 1_000 })).toEqual(many);
  });
});

describe("what is left of a server's lines once another one has its events", () => {
  it("is what was made, also where nobody said so but it arrived", () => {
    const lines = [
      line({ produced: 10, dropped: 1, stored: 8, duplicates: 3, late: 2, seenAtMs: 5 }),
      line({ instance: "j", stored: 4, seenAtMs: 6 }),
    ];
    expect(linesLeft(lines, "a")).toEqual([
      line({ produced: 10, dropped: 1, seenAtMs: 5 }),
      line({ instance: "j", produced: 4, seenAtMs: 6 }),
    ]);
  });

  it("has no sums: the other server has line by line, or in sums of its own, what they were made of", () => {
    const many = Array.from({ length: 5 }, (_, n) => line({ instance: `i${n}`, produced: 3, stored: 2, seenAtMs: NOW - n }));
    const told = boundedLines(many, { server: "a", now: NOW, max: 2 });
    expect(told.map(({ instance, produced }) => [instance, produced])).toEqual([
      ["i0", 3],
      ["i1", 3],
      ["(others at a, 0 min)", 9],
    ]);
    expect(linesLeft(told, "a").map(({ instance, produced, stored }) => [instance, produced, stored])).toEqual([
      ["i0", 3, 0],
      ["i1", 3, 0],
    ]);
  });

  it("leaves of any history exactly what arrived after the backup lost", () => {
    const events = fc.array(fc.nat(3), { maxLength: 30 });
    fc.assert(
      fc.property(events, fc.nat(30), events, (before, at, after) => {
        const inBackup = before.slice(0, at);
        const countIn = (list: readonly number[], instance: number): number => list.filter((one) => one === instance).length;
        // Whoever sends an event says how many it made so far.
        const told = [0, 1, 2, 3].flatMap((n) => {
          const [first, kept, then] = [before, inBackup, after].map((list) => countIn(list, n)) as [number, number, number];
          const heir = { produced: then === 0 ? kept : first + then, stored: kept + then };
          const left = linesLeft([line({ instance: `i${n}`, produced: first, stored: first })], "a");
          return [...left, line({ instance: `i${n}`, ...heir })];
        });
        const [sums] = armsOf(mergedLines(told)).map(({ produced, stored, lost }) => [produced, stored, lost]);
        expect(sums).toEqual([before.length + after.length, inBackup.length + after.length, before.length - inBackup.length]);
      }),
    );
  });
});
