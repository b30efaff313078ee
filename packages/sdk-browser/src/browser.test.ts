import { PACKED_TYPE } from "@belay/core";
import type { SdkDoor } from "@belay/testkit";
import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { CHROMIUM } from "./chromium.fixture.ts";
import { doorPages, FLAGS, KEY } from "./door-pages.fixture.ts";
import type * as sdk from "./index.ts";
import { changeOf, rollout, snapshotOf } from "./rules.fixture.ts";

// Without a browser there is nothing to run in; the fixture says so loudly.
describe.skipIf(CHROMIUM === undefined)("the client in Chromium", () => {
  const given = doorPages('export * from "sdk";');
  const { open, start } = given;

  const isEnabled = (page: Page, key = "checkout-v2"): Promise<boolean> => page.evaluate((key) => belay.isEnabled(key), key);

  it("answers defaults at once, the flag's values once live, and a change as soon as it comes", async () => {
    const { page, faults } = await open();
    const before = await page.evaluate(
      ([url, clientKey]) => {
        const { createClient } = globalThis.bundle as unknown as typeof sdk;
        const client = createClient({ url, clientKey, context: { targetingKey: "u" } });
        return [
          client.isEnabled("checkout-v2"),
          client.isEnabled("checkout-v2", true),
          client.evaluate("pricing", "none"),
          client.state,
        ];
      },
      [given.door.url, KEY] as const,
    );
    expect(before).toEqual([
      false,
      true,
      { value: "none", reason: "ERROR", errorCode: "PROVIDER_NOT_READY", revision: 0 },
      "starting",
    ]);
    expect(await start(page)).toBe("live");
    const answers = await page.evaluate(() => [
      belay.evaluate("checkout-v2", false),
      belay.value("pricing", "none"),
      belay.isEnabled("nowhere", true),
    ]);
    expect(answers).toEqual([
      { value: true, variant: "on", reason: "SPLIT", ruleId: "r1", revision: 7 },
      expect.stringMatching(/^(compact|roomy)$/),
      true,
    ]);
    given.door.publish(snapshotOf(8, { ...FLAGS, "checkout-v2": rollout(0) }), changeOf(8, { "checkout-v2": rollout(0) }));
    await expect.poll(() => isEnabled(page), { interval: 5 }).toBe(false);
    expect(await page.evaluate(() => heard)).toContainEqual({ revision: 8, keys: ["checkout-v2"] });
    expect(faults).toEqual([]);
  });

  it("puts the key in headers and bodies, never in an address", async () => {
    const { page } = await open();
    const addresses: string[] = [];
    page.on("request", (request) => addresses.push(request.url()));
    await start(page);
    await page.evaluate(async () => {
      belay.value("pricing", "none");
      await belay.flush();
    });
    expect(given.door.count("events")).toBe(1);
    expect(addresses.filter((address) => address.includes(KEY))).toEqual([]);
    expect(addresses.length).toBeGreaterThan(1);
  });

  // Browsers carry at most 64 KiB for a page that is gone, over all its requests. What is made when the page is told to go
  // is all there at once when it goes.
  it("fault 36: of 300 events (90 KB) in a tab that closes at once, 300 arrive; no preflight, no request over 60 KiB", async () => {
    for (let turn = 1; turn <= 5; turn++) {
      const { page } = await open();
      await start(page);
      await page.evaluate(`globalThis.browse = ${browse}`);
      await page.evaluate(() => addEventListener("beforeunload", () => browse(300)));
      await page.close({ runBeforeUnload: true });
      await expect.poll(() => given.door.events.length).toBe(300 * turn);
    }
    const sent = given.door.requests.filter((request) => request.door === "events");
    const lastWords = sent.filter(({ headers }) => headers["content-type"] === PACKED_TYPE);
    expect(Math.max(...sent.map(({ bytes }) => bytes))).toBeLessThanOrEqual(60 * 1_024);
    expect(Math.max(...lastWords.map(({ bytes }) => bytes))).toBeLessThanOrEqual(48 * 1_024);
    expect(unpackedBytes(lastWords)).toBeGreaterThan(5 * 90_000);
    expect(lastWords.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThan(unpackedBytes(lastWords) / 2);
    expect(given.door.preflights.filter((path) => path.endsWith("/events"))).toEqual([]);
  });

  it("fault 36: exposures of a page that is left for another arrive, and count once", async () => {
    const { page } = await open();
    await start(page);
    await page.evaluate(() => {
      for (let at = 0; at < 200; at++) {
        belay.identify({ targetingKey: `user-${at}` });
        belay.value("pricing", "none");
      }
    });
    await page.goto(`${given.url}/?next`);
    await expect.poll(() => given.door.events.length).toBeGreaterThanOrEqual(198);
    expect(new Set(given.door.events.map((event) => event["unit"])).size).toBe(given.door.events.length);
  });

  it("fault 37: 50 decisions are one exposure; after logout and login the second person has their own", async () => {
    const { page } = await open();
    await start(page);
    const report = await page.evaluate(() => {
      for (let turn = 0; turn < 50; turn++) belay.value("pricing", "none");
      belay.identify({ targetingKey: "user-2" });
      for (let turn = 0; turn < 50; turn++) belay.value("pricing", "none");
      belay.identify({ targetingKey: "user-42" });
      belay.value("pricing", "none");
      return belay.flush();
    });
    expect(report).toEqual({ produced: 2, stored: 2, dropped: 0, queued: 0 });
    expect(given.door.events.map((event) => event["unit"])).toEqual(["user-42", "user-2"]);
    expect(given.door.counts.filter((count) => count.flag === "pricing").reduce((sum, { count }) => sum + count, 0)).toBe(101);
  });

  it("fault 39: nothing is exposed before rules came, and nothing for somebody who is nobody", async () => {
    const { page } = await open();
    given.door.behave("stream", () => {});
    await start(page, {}, 50);
    const produced = await page.evaluate(() => {
      belay.value("pricing", "none");
      return belay.report().produced;
    });
    expect(produced).toBe(0);
  });

  it("fault 35: a clock that steps back changes no order and no number", async () => {
    const { page } = await open();
    await start(page);
    await page.evaluate(async () => {
      const now = Date.now.bind(Date);
      for (const [at, offset] of [0, 3, -3, -490_000].entries()) {
        Date.now = () => now() + offset * 3_600_000;
        belay.track(`event-${at}`);
      }
      Date.now = now;
      await belay.flush();
    });
    expect(given.door.events.map((event) => [event.seq, event["name"]])).toEqual(
      [0, 1, 2, 3].map((at) => [at + 1, `event-${at}`]),
    );
    const { sentAtMs } = JSON.parse(given.door.requests.findLast((request) => request.door === "events")?.text ?? "{}");
    expect(Math.abs(sentAtMs - Date.now())).toBeLessThan(10_000);
  });

  it("fault 38: 30,000 people in one page take bounded memory, and the count of what was dropped is exact", async () => {
    const { page } = await open();
    given.door.behave("events", ({ response }) => void response.writeHead(503).end());
    await start(page);
    const report = await page.evaluate(() => {
      for (let at = 0; at < 30_000; at++) {
        belay.identify({ targetingKey: `user-${at}` });
        belay.value("pricing", "none");
      }
      return belay.report();
    });
    expect(report).toEqual({ produced: 30_000, stored: 0, dropped: 20_000, queued: 10_000 });
  });

  it("fault 34: values that cannot be sent neither throw nor stop the others", async () => {
    const { page } = await open();
    await start(page);
    const report = await page.evaluate(() => {
      const circle: Record<string, unknown> = {};
      circle["self"] = circle;
      const odd: Record<string, unknown>[] = [
        circle,
        { big: 10n, ok: 1 },
        { text: "x".repeat(1_000_000) },
        { at: new Date(Number.NaN), none: undefined },
      ];
      for (const properties of odd) belay.track("odd", { properties });
      belay.track("odd", { value: Number.NaN });
      return belay.flush();
    });
    expect(report).toEqual({ produced: 4, stored: 3, dropped: 1, queued: 0 });
    expect(given.door.events.map((event) => event["properties"])).toEqual([{ ok: 1 }, { text: "x".repeat(1_024) }, { at: null }]);
  });

  it("fault 23: starts from what was kept while the server is away; what is cut, foreign or newer is ignored and written anew", async () => {
    const { page } = await open();
    await start(page, { kept: true });
    const names = await page.evaluate(() => Object.keys(localStorage));
    expect(names).toEqual([expect.stringMatching(/^belay\/\d+$/)]);
    expect(names[0]).not.toContain(KEY);
    await given.door.stop();
    await page.reload();
    expect(await start(page, { kept: true }, 50)).toBe("stale");
    expect(await page.evaluate(() => belay.evaluate("checkout-v2", false))).toMatchObject({
      value: true,
      reason: "STALE",
      revision: 7,
    });
    await given.door.start();
    for (const broken of [
      "",
      '{"format":1',
      "null",
      '{"format":2,"revision":9,"flags":{},"segments":{},"spaces":{}}',
      "<html>",
    ]) {
      await page.evaluate(([name, broken]) => localStorage.setItem(name, broken), [names[0] as string, broken] as const);
      await page.reload();
      expect(await start(page, { kept: true })).toBe("live");
      expect(await page.evaluate((name) => JSON.parse(localStorage.getItem(name) ?? "").revision, names[0] as string)).toBe(7);
    }
  });

  it("does not flicker: what the page was rendered with decides first, and an equal answer of the server changes nothing", async () => {
    const { page } = await open();
    expect(await start(page, { bootstrap: snapshotOf(7, FLAGS) })).toBe("live");
    expect(await page.evaluate(() => heard)).toEqual([{ revision: 7, keys: [] }]);
    const values = await page.evaluate(
      ([url, clientKey]) => {
        const { createClient, fromValues } = globalThis.bundle as unknown as typeof sdk;
        const client = createClient({ url, clientKey, bootstrap: fromValues({ "checkout-v2": true, pricing: "roomy" }) });
        return [client.isEnabled("checkout-v2"), client.value("pricing", "none"), client.report().produced];
      },
      [given.door.url, KEY] as const,
    );
    expect(values).toEqual([true, "roomy", 0]);
  });

  it("fault 21: keeps its values through a lost server, and the newest revision through older answers and lost changes", async () => {
    const { page } = await open();
    await start(page);
    given.door.write(`event: snapshot\ndata: ${JSON.stringify(snapshotOf(3, {}))}\n\n`);
    given.door.write(`event: change\ndata: ${JSON.stringify(changeOf(6, { "checkout-v2": null }))}\n\n`);
    expect(await isEnabled(page)).toBe(true);
    // Lost on a stream that lives on: the next heartbeat names a revision that is not held.
    given.door.snapshot = snapshotOf(9, { ...FLAGS, "checkout-v2": rollout(0) });
    await expect.poll(() => isEnabled(page)).toBe(false);
    expect(await page.evaluate(() => belay.revision)).toBe(9);
    await given.door.stop();
    expect(await isEnabled(page)).toBe(false);
  });

  it("polls where streams do not get through, and hears of a change there too", async () => {
    const { page } = await open();
    given.door.behave("stream", ({ response }) => void response.writeHead(501).end());
    expect(await start(page, { pollIntervalMs: 1_000 })).toBe("live");
    given.door.snapshot = snapshotOf(8, { ...FLAGS, "checkout-v2": rollout(0) });
    await expect.poll(() => isEnabled(page)).toBe(false);
    // Once more when the first poll got through, and then not for a minute.
    expect(given.door.count("stream")).toBeLessThanOrEqual(2);
  });
});

/** Events of somebody in a shop, about 300 bytes each, a sixth of them this one event's alone. Runs in a page. */
function browse(events: number): void {
  const random = (): string => Math.random().toString(36).slice(2);
  for (let at = 0; at < events; at++) {
    const properties = {
      path: `/products/${random()}`,
      referrer: `https://shop.example.com/${random()}/${random()}`,
      session: `b1946ac9-2492-4d23-a47f-${at}`,
      label: `button ${at % 17}`,
      currency: "EUR",
      campaign: "newsletter-2026-11",
      viewport: { width: 1_920, height: 1_080 },
    };
    belay.track(["scroll", "click", "view", "purchase"][at % 4] as string, { value: 100 * Math.random(), properties });
  }
}

function unpackedBytes(requests: SdkDoor["requests"]): number {
  return requests.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0);
}
