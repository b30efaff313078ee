import { beforeAll, expect, it } from "vitest";
import { picture } from "./picture.ts";
import { play, type Story } from "./story.ts";

/** The whole story once, with real processes; the tests read it. Its visitors and their luck are the same in each run. */
let story: Story;
const said: string[] = [];
beforeAll(async () => {
  story = await play({ say: (_, line) => said.push(line) });
}, 150_000);

it("takes the harmful release back by itself, at its first stage, and every shop acknowledges it", () => {
  const { state, stage, reasons, rollback } = story.releases.checkout;
  expect([state, stage, reasons]).toEqual(["rolled-back", 0, [{ code: "guardrail-breach", subject: "failed-orders" }]]);
  expect([rollback?.instances, rollback?.acknowledged, rollback?.laggards]).toEqual([3, 3, []]);
  expect(Date.parse(rollback?.detectedAt ?? "")).toBeLessThanOrEqual(Date.parse(rollback?.decidedAt ?? ""));
});

it("shows the harm to nobody in any shop afterwards, while the twin goes on", () => {
  expect(story.afterwards).toHaveLength(3);
  for (const { visitors, treated } of story.afterwards) {
    expect(visitors).toBeGreaterThanOrEqual(400);
    expect(treated.checkout).toBe(0);
    expect(treated.search).toBeGreaterThan(0);
  }
});

it("never takes the healthy twin back or holds it: it climbs past its first stage", () => {
  const { state, stage, reasons, rollback } = story.releases.search;
  expect([state, reasons, rollback]).toEqual(["ramping", [], undefined]);
  expect(stage).toBeGreaterThanOrEqual(1);
  const evidence = story.looks.flatMap(({ evidence: { search } }) => (search === undefined ? [] : [search]));
  expect(evidence.length).toBeGreaterThan(5);
  expect(Math.max(...evidence)).toBeLessThan(20);
});

it("tells what happened as it happens, and draws it", () => {
  expect(said.filter((line) => line.startsWith("checkout: ")).at(0)).toBe("checkout: ramping at 5 %");
  expect(said.filter((line) => line.startsWith("checkout: ")).at(-1)).toMatch(
    /^checkout: ROLLED BACK, 3 of 3 instances off \d+ ms/,
  );
  expect(said).toContain("search: ramping at 25 %");
  // Two courses of evidence, and one of exposure for each flag and shop.
  expect(picture(story).match(/<polyline /g)).toHaveLength(2 + 2 * 3);
});
