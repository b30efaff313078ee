import type { Page } from "playwright-core";
import { createElement } from "react";
import { renderToString } from "react-dom/server";
import { describe, expect, it } from "vitest";
import { CHROMIUM, type OpenedPage } from "./chromium.fixture.ts";
import { doorPages, FLAGS, KEY } from "./door-pages.fixture.ts";
import { type ClientOptions, createClient } from "./index.ts";
import type * as reactApp from "./react-app.fixture.tsx";
import { App } from "./react-app.fixture.tsx";
import { changeOf, rollout, snapshotOf } from "./rules.fixture.ts";

const USER = { targetingKey: "user-42" };

describe("rendering on a server", () => {
  it("decides with the rules it was given, opens no connection and records nothing", () => {
    const client = createClient({ url: "http://127.0.0.1:1", clientKey: KEY, context: USER, bootstrap: snapshotOf(7, FLAGS) });
    const html = renderToString(createElement(App, { client }));
    expect(html).toMatch(/<p id="layout">(compact|roomy)<\/p><p id="checkout">new<\/p><p id="why">true CACHED 0<\/p>/);
    expect([client.state, client.report().produced]).toEqual(["offline", 0]);
  });
});

// Without a browser there is nothing to run in; the fixture says so loudly.
describe.skipIf(CHROMIUM === undefined)("React in Chromium, StrictMode, development build", () => {
  const given = doorPages('export * from "react-app";');

  async function open(html = ""): Promise<OpenedPage> {
    given.files.set(
      "/",
      `<!doctype html><title>page</title><div id="root">${html}</div><script type="module" src="/page.js"></script>`,
    );
    const opened = await given.open();
    opened.page.on("console", (message) => {
      if (message.type() === "error") opened.faults.push(message.text());
    });
    return opened;
  }

  const begin = (page: Page, options: object, isHydrating = false): Promise<void> =>
    page.evaluate(
      ([options, isHydrating]) => {
        const { begin } = globalThis.bundle as unknown as typeof reactApp;
        globalThis.belay = begin(options as Parameters<typeof begin>[0], isHydrating);
      },
      [options, isHydrating] as const,
    );
  const text = (page: Page, id: string): Promise<string | null> => page.textContent(`#${id}`);
  const renders = (page: Page): Promise<Record<string, number>> =>
    page.evaluate(() => ({ ...(globalThis.bundle as unknown as typeof reactApp).renders }));

  it("fault 37: shows defaults, then the flags; renders only what changed; exposes once, each person apart", async () => {
    const { page, faults } = await open();
    await begin(page, { url: given.door.url, clientKey: KEY, context: USER });
    await expect.poll(() => text(page, "checkout")).toBe("new");
    const before = await renders(page);
    given.door.publish(snapshotOf(8, { ...FLAGS, "checkout-v2": rollout(0) }), changeOf(8, { "checkout-v2": rollout(0) }));
    await expect.poll(() => text(page, "checkout")).toBe("old");
    expect(await text(page, "why")).toBe("false DEFAULT 8");
    const after = await renders(page);
    // Its child, the Flag, rendered again; neither it nor the component beside it did.
    expect(after).toEqual(before);
    await page.evaluate(() => belay.flush());
    expect(given.door.events.map((event) => event["unit"])).toEqual(["user-42"]);
    await page.evaluate(async () => {
      for (let turn = 0; turn < 50; turn++) belay.identify({ targetingKey: `user-${turn % 2}` });
      await belay.flush();
    });
    expect(given.door.events.map((event) => event["unit"])).toEqual(["user-42", "user-0", "user-1"]);
    expect(faults).toEqual([]);
  });

  it("fault 37: exposes nobody by what was rendered and not committed, and once when it is", async () => {
    const { page, faults } = await open();
    const options = { url: given.door.url, clientKey: KEY, context: USER, bootstrap: snapshotOf(7, FLAGS) };
    await page.evaluate((options) => {
      const { client, goOn } = (globalThis.bundle as unknown as typeof reactApp).beginWaiting(options as ClientOptions);
      Object.assign(globalThis, { belay: client, goOn });
    }, options as object);
    await expect.poll(() => text(page, "fallback")).toBe("wait");
    given.door.publish(snapshotOf(8, FLAGS), changeOf(8, {}));
    await expect.poll(() => page.evaluate(() => belay.revision)).toBe(8);
    expect((await renders(page))["waiting"]).toBeGreaterThan(0);
    expect(await page.evaluate(() => belay.report().produced)).toBe(0);
    await page.evaluate(() => (globalThis as unknown as { goOn(): void }).goOn());
    await expect.poll(() => text(page, "waiting")).toMatch(/^(compact|roomy) there$/);
    // What was committed is recorded once React has painted it.
    await expect.poll(() => page.evaluate(() => belay.report().produced)).toBe(1);
    expect(await page.evaluate(() => belay.flush())).toEqual({ produced: 1, stored: 1, dropped: 0, queued: 0 });
    expect(faults).toEqual([]);
  });

  it("shows one answer at a time where another person comes in the middle of a transition", async () => {
    const bootstrap = snapshotOf(7, { "checkout-v2": rollout(500_000) });
    const client = createClient({ bootstrap });
    const people = Array.from({ length: 50 }, (_, at) => ({ targetingKey: `user-${at}` }));
    const isOn = (context: { targetingKey: string }): boolean => {
      client.identify(context);
      return client.isEnabled("checkout-v2");
    };
    const [on, off] = [people.find(isOn), people.find((context) => !isOn(context))];
    const { page, faults } = await open();
    const shownThen = await page.evaluate(
      async ([options, next]) => {
        const { changeInTransition } = globalThis.bundle as unknown as typeof reactApp;
        const [shownThen, told] = await changeInTransition(options, next as typeof USER);
        Object.assign(globalThis, { told });
        return shownThen;
      },
      [{ context: on, bootstrap }, off] as [object, object | undefined],
    );
    expect(shownThen).toBe(1);
    await expect.poll(() => page.locator("li").count()).toBe(200);
    expect(new Set(await page.locator("li").allTextContents())).toEqual(new Set(["false"]));
    const shown = await page.evaluate(() => (globalThis as unknown as { told(): number[] }).told());
    // One row that was on, the same one off, and the 199 that came.
    expect(shown).toHaveLength(201);
    expect(new Set(shown)).toEqual(new Set([1]));
    expect(faults).toEqual([]);
  });

  it("hydrates what a server rendered without a mismatch, also when newer rules came before", async () => {
    const bootstrap = snapshotOf(7, FLAGS);
    const html = renderToString(createElement(App, { client: createClient({ context: USER, bootstrap }) }));
    given.door.snapshot = snapshotOf(9, { ...FLAGS, "checkout-v2": rollout(0) });
    const { page, faults } = await open(html);
    const shown = await text(page, "layout");
    await begin(page, { url: given.door.url, clientKey: KEY, context: USER, bootstrap }, true);
    await expect.poll(() => text(page, "checkout")).toBe("old");
    expect(await text(page, "layout")).toBe(shown);
    await page.evaluate(() => belay.flush());
    expect(given.door.events).toHaveLength(1);
    expect(faults).toEqual([]);
  });
});
