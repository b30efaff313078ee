import { readFileSync } from "node:fs";
import { clientSnapshot } from "@belay/core";
import type * as compact from "@belay/core/compact";
import type { EvaluationContext, Json, Snapshot } from "@belay/protocol";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CHROMIUM, openPages, type Pages } from "./chromium.fixture.ts";

const text = (name: string): string => readFileSync(new URL(`../../../vectors/${name}`, import.meta.url), "utf8");

type Compact = typeof compact;

interface Case {
  readonly scenario: string;
  readonly flag: string;
  readonly context: EvaluationContext;
  readonly result: { readonly [name: string]: Json };
}

// Without a browser there is nothing to replay in; the fixture says so loudly.
describe.skipIf(CHROMIUM === undefined)("the minified bundle in Chromium", () => {
  let pages: Pages;
  const { snapshots, cases } = JSON.parse(text("evaluations.json")) as { snapshots: Record<string, Snapshot>; cases: Case[] };

  beforeAll(async () => {
    const rendered = Object.fromEntries(
      Object.entries(snapshots).map(([name, each]) => [name, clientSnapshot(each, () => true)]),
    );
    pages = await openPages('export { deciderOf, pointOf } from "compact";', {
      "/evaluations.json": JSON.stringify({ snapshots: rendered, cases }),
      "/point.json": text("point.json"),
      "/operators.json": text("operators.json"),
    });
  });
  afterAll(() => pages.close());

  it("decides every evaluation of the vectors, but for patterns, which browsers are refused", async () => {
    const { page, faults } = await pages.open();
    const { asked, wrong } = await page.evaluate(async () => {
      const { deciderOf } = globalThis.bundle as unknown as Compact;
      const { snapshots, cases } = await (await fetch("/evaluations.json")).json();
      const plain = (value: object): string => JSON.stringify(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
      const wrong: object[] = [];
      for (const { scenario, flag, context, result } of cases as Case[]) {
        const { tracks, ...outcome } = deciderOf(snapshots[scenario], context)(flag);
        const { epoch = 0, differs: _, variant: __, ...subject } = tracks?.arm ?? { experiment: "", variant: "" };
        const unit = tracks?.unit();
        const told =
          tracks === undefined ? outcome : { ...outcome, tracks: { ...subject, epoch, ...(unit === undefined ? {} : { unit }) } };
        const present = JSON.parse(JSON.stringify(told));
        if (plain(present) !== plain(result)) wrong.push({ scenario, flag, context, result, present });
      }
      return { asked: cases.length, wrong };
    });
    // A flag that uses patterns is malformed in a browser: nothing else may differ.
    const unexpected = wrong.filter((one) => (one as { present: { errorCode?: string } }).present.errorCode !== "PARSE_ERROR");
    expect(unexpected).toEqual([]);
    expect(wrong.length).toBeLessThan(asked / 50);
    expect(asked).toBeGreaterThan(2_000);
    expect(faults).toEqual([]);
  });

  it("places every unit and answers every operator of the vectors", async () => {
    const { page } = await pages.open();
    const { asked, wrong } = await page.evaluate(async () => {
      const { deciderOf, pointOf } = globalThis.bundle as unknown as Compact;
      const points = await (await fetch("/point.json")).json();
      const operators = await (await fetch("/operators.json")).json();
      const wrong: object[] = [];
      for (const one of points) if (one.text !== undefined && pointOf(one.salt, one.text) !== one.point) wrong.push(one);
      let asked = points.length;
      for (const { test, context, matches, malformed } of operators) {
        if (test?.op === "matches" || malformed) continue;
        asked++;
        const rule = { id: "r", when: test, serve: { variant: "yes" } };
        const flag = {
          type: "boolean",
          variants: { yes: true, no: false },
          enabled: true,
          rules: [rule],
          fallthrough: { variant: "no" },
        };
        const snapshot = { flags: { flag }, segments: {}, spaces: {} } as unknown as Snapshot;
        const { value } = deciderOf(snapshot, context)("flag");
        if (value !== matches) wrong.push({ test, context, matches, value });
      }
      return { asked, wrong };
    });
    expect(wrong).toEqual([]);
    expect(asked).toBeGreaterThan(1_000);
  });
});
