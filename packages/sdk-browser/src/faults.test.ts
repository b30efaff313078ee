/* The page's half of what goes wrong in the field, in Chromium: answers, delivery of rules, events. */
import { doorFaults } from "@belay/testkit";
import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { CHROMIUM } from "./chromium.fixture.ts";
import { doorPages, FLAGS } from "./door-pages.fixture.ts";
import { changeOf, rollout, snapshotOf } from "./rules.fixture.ts";

/** Serves one value to everybody. */
function constant(type: "boolean" | "string" | "number" | "object", value: unknown): ReturnType<typeof rollout> {
  return { type, variants: { served: value as never }, enabled: true, rules: [], fallthrough: { variant: "served" } };
}

// Without a browser there is nothing to run in; the fixture says so loudly.
describe.skipIf(CHROMIUM === undefined)("what goes wrong, met by a page", () => {
  const given = doorPages('export * from "sdk";');
  const { start } = given;
  const open = async (): Promise<Page> => (await given.open()).page;
  const isEnabled = (page: Page): Promise<boolean> => page.evaluate(() => belay.isEnabled("checkout-v2"));
  const publish = (revision: number, ppm: number): void =>
    given.door.publish(
      snapshotOf(revision, { ...FLAGS, "checkout-v2": rollout(ppm) }),
      changeOf(revision, { "checkout-v2": rollout(ppm) }),
    );

  it("fault 1: 0, false, empty text, list and object are served, never the default", async () => {
    const values = { zero: 0, no: false, empty: "", none: {}, list: [] };
    const flags = Object.entries(values).map(([key, value]) => [key, constant(typeof value as "object", value)]);
    given.door.snapshot = snapshotOf(7, Object.fromEntries(flags));
    const page = await open();
    await start(page);
    const told = await page.evaluate(() => {
      const defaults = { zero: 7, no: true, empty: "mine", none: { a: 1 }, list: [1] };
      return Object.entries(defaults).map(([key, fallback]) => belay.evaluate(key, fallback));
    });
    expect(told.map(({ value, reason }) => [value, reason])).toEqual(Object.values(values).map((value) => [value, "STATIC"]));
  });

  it("faults 2 and 3: names that JavaScript finds special are names like others, of flags and of attributes", async () => {
    const names = ["__proto__", "constructor", "toString"];
    const rule = { id: "r", when: { attribute: "__proto__", op: "in", value: "x" }, serve: { variant: "served" } } as const;
    const { fallthrough: _, ...asked } = constant("boolean", true);
    const flags = JSON.parse(JSON.stringify({ ...asked, rules: [rule] }));
    const document = `{${names.map((name) => `${JSON.stringify(name)}:${JSON.stringify(constant("string", name))}`).join()}}`;
    given.door.snapshot = snapshotOf(7, Object.assign(JSON.parse(document), { asked: flags }));
    const page = await open();
    await start(page);
    const [served, unknown, own, inherited, inPrototype] = await page.evaluate((names) => {
      const values = names.map((name) => belay.value(name, "mine"));
      belay.identify(JSON.parse('{"targetingKey":"u","__proto__":"x"}'));
      const own = belay.isEnabled("asked");
      belay.identify(Object.create({ ["__proto__"]: "x" }));
      const code = belay.evaluate("hasOwnProperty", "mine").errorCode;
      return [values, code, own, belay.isEnabled("asked"), Object.keys(Object.prototype).length] as const;
    }, names);
    expect([served, unknown, own, inherited, inPrototype]).toEqual([names, "FLAG_NOT_FOUND", true, false, 0]);
  });

  it("fault 4: one malformed flag of 100 answers its default, said once; 99 decide as before", async () => {
    const flags = Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`flag-${at}`, constant("number", at)]));
    // What a server makes of a flag that cannot be read, and what no server of ours would send.
    for (const broken of [{}, { ...constant("number", 1), rules: null, fallthrough: { variant: 9 } }]) {
      given.door.snapshot = snapshotOf(7, { ...flags, "flag-50": broken as never });
      const page = await open();
      await start(page);
      const told = await page.evaluate(() => {
        const all = Array.from({ length: 100 }, (_, at) => belay.evaluate(`flag-${at}`, -1));
        belay.evaluate("flag-50", -1);
        return [
          all.filter(({ value }, at) => value === at).length,
          all[50]?.value,
          all[50]?.errorCode,
          heard.filter((each) => String(each).includes("flag-50")),
        ];
      });
      expect(told).toEqual([99, -1, "PARSE_ERROR", ["belay: flag flag-50 defaults: PARSE_ERROR"]]);
    }
  });

  it("fault 13: nobody, or an empty unit, gets the default of a split and is not exposed", async () => {
    const page = await open();
    await start(page);
    const told = await page.evaluate(() =>
      [{}, { targetingKey: "" }].map((context) => {
        belay.identify(context);
        const { value, errorCode } = belay.evaluate("pricing", "mine");
        return [value, errorCode, belay.report().produced];
      }),
    );
    expect(told).toEqual([
      ["mine", "TARGETING_KEY_MISSING", 0],
      ["mine", "TARGETING_KEY_MISSING", 0],
    ]);
  });

  it("faults 14 and 15: ten minutes without a server, and rules of 30 days ago, change no value: they say STALE", async () => {
    const page = await open();
    await page.clock.install();
    expect(await start(page, { kept: true })).toBe("live");
    await given.door.stop();
    await page.clock.runFor(600_000);
    const told = await page.evaluate(() => [
      belay.state,
      belay.evaluate("checkout-v2", false),
      heard.filter((each) => typeof each === "object"),
    ]);
    const stale = { value: true, variant: "on", reason: "STALE", ruleId: "r1", revision: 7 };
    expect(told).toEqual(["stale", stale, [{ revision: 7, keys: ["checkout-v2", "pricing"] }]]);
    await page.clock.fastForward(30 * 86_400_000);
    await page.reload();
    const started = start(page, { kept: true }, 1_000);
    await expect.poll(() => page.evaluate(() => (globalThis as Partial<typeof globalThis>).belay?.state)).toBe("stale");
    // The page's clock stands still unless it is told to go on.
    await page.clock.runFor(1_000);
    expect(await started).toBe("stale");
    expect(await page.evaluate(() => belay.evaluate("checkout-v2", false))).toEqual(stale);
  });

  it("fault 20: the content of before, under a newer revision, is in force", async () => {
    const page = await open();
    await start(page);
    for (const [revision, ppm] of [
      [8, 0],
      [9, 1_000_000],
    ] as const) {
      publish(revision, ppm);
      await expect.poll(() => page.evaluate(() => [belay.revision, belay.isEnabled("checkout-v2")])).toEqual([revision, ppm > 0]);
    }
  });

  it("fault 22: cut, foreign and garbled answers leave the rules as they are, each said once; then it goes on", async () => {
    const page = await open();
    await page.clock.install();
    await start(page);
    const cut = JSON.stringify(snapshotOf(9, {})).slice(0, -20);
    for (const fault of [
      doorFaults.html,
      doorFaults.wrongGzip,
      doorFaults.body(() => [`event: snapshot\ndata: ${cut}\n\n`, cut]),
    ]) {
      const asked = given.door.requests.length;
      for (const name of ["snapshot", "stream"] as const) given.door.behave(name, fault);
      given.door.endStreams();
      await expect
        .poll(() => page.clock.runFor(1_000).then(() => given.door.requests.length - asked), { timeout: 20_000 })
        .toBeGreaterThan(1);
      expect(await page.evaluate(() => [belay.revision, belay.isEnabled("checkout-v2")])).toEqual([7, true]);
    }
    const said = await page.evaluate(() => heard.filter((each) => typeof each === "string"));
    expect([said.length > 0, new Set(said).size]).toEqual([true, said.length]);
    given.door.snapshot = snapshotOf(8, { ...FLAGS, "checkout-v2": rollout(0) });
    for (const name of ["snapshot", "stream"] as const) given.door.behave(name, undefined);
    await expect.poll(() => page.clock.runFor(1_000).then(() => isEnabled(page)), { timeout: 20_000 }).toBe(false);
  });

  it("fault 24: a page waits for a slow first answer as long as it wants, and hears of one change when it comes", async () => {
    const waiting: (() => void)[] = [];
    given.door.behave("stream", (_, answer) => void waiting.push(answer));
    const page = await open();
    expect(await start(page, {}, 50)).toBe("starting");
    expect(await page.evaluate(() => [belay.isEnabled("checkout-v2", true), heard])).toEqual([true, []]);
    await expect.poll(() => waiting.length).toBe(1);
    for (const answer of waiting) answer();
    await expect.poll(() => page.evaluate(() => heard)).toEqual([{ revision: 7, keys: ["checkout-v2", "pricing"] }]);
  });

  /** Tracks so many events, and tells how they stand once all are answered for. */
  const track = (page: Page, count: number): Promise<unknown> =>
    page.evaluate(async (count) => {
      for (let at = 0; at < count; at++) {
        belay.track(`event-${at}`);
        if (at % 50 === 49) await new Promise((resolve) => setTimeout(resolve, 1));
      }
      return belay.flush({ timeoutMs: 30_000 });
    }, count);

  it("faults 28 and 31: answers lost twice, events made while others are sent: each is there once", async () => {
    let lost = 0;
    given.door.behave("events", (request, answer) => (lost++ < 2 ? doorFaults.loseAnswer(request, answer) : answer()));
    const page = await open();
    await start(page);
    expect(await track(page, 500)).toEqual({ produced: 500, stored: 500, dropped: 0, queued: 0 });
    expect(given.door.duplicates).toBeGreaterThan(0);
    expect(given.door.events.map(({ seq }) => seq)).toEqual(Array.from({ length: 500 }, (_, at) => at + 1));
  });

  it("fault 32: the one bad event of a batch is dropped and counted, the others are stored, none is sent again", async () => {
    const receipt = {
      accepted: 9,
      duplicates: 0,
      rejected: [{ list: "metrics", index: 3, code: "invalid_field", field: "name" }],
    };
    given.door.behave(
      "events",
      ({ response }) => void response.writeHead(202, { "content-type": "application/json" }).end(JSON.stringify(receipt)),
    );
    const page = await open();
    await start(page);
    expect(await track(page, 10)).toEqual({ produced: 10, stored: 9, dropped: 1, queued: 0 });
    expect(given.door.count("events")).toBe(1);
  });

  it("fault 33: batches that are too large are halved until they fit; an event that never does is dropped and counted", async () => {
    const limit = 4_000;
    given.door.behave("events", ({ bytes, response }, answer) => (bytes > limit ? void response.writeHead(413).end() : answer()));
    const page = await open();
    await start(page);
    await page.evaluate(() => {
      const texts = Object.fromEntries(Array.from({ length: 8 }, (_, at) => [`text-${at}`, "x".repeat(1_000)]));
      belay.track("too large", { properties: texts });
    });
    expect(await track(page, 500)).toEqual({ produced: 501, stored: 500, dropped: 1, queued: 0 });
    expect(given.door.events.length).toBe(500);
    expect(given.door.duplicates).toBe(0);
  });
});
