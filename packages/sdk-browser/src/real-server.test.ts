/* The bundle in a real browser against the real, built server: the doors fit, end to end. */
import {
  exposesEachOnce,
  followsEachChange,
  openShop,
  type SdkInShop,
  type ServerProcess,
  type Shop,
  startServer,
} from "@belay/testkit";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CHROMIUM, openPages, type Pages } from "./chromium.fixture.ts";
import type * as sdk from "./index.ts";

/** The page as a customer of the shop. */
function inShop(page: Page): SdkInShop {
  return {
    isOn: () => page.evaluate(() => belay.isEnabled("checkout")),
    serve: async (units) =>
      new Map(
        await page.evaluate((units) => {
          return units.map((targetingKey) => {
            belay.identify({ targetingKey });
            return [targetingKey, belay.value("pricing", "none")] as [string, string];
          });
        }, units),
      ),
    // Nothing is sent but by the tab's end.
    deliver: () => page.close({ runBeforeUnload: true }),
  };
}

// Without a browser there is nothing to run in; the fixture says so loudly.
describe.skipIf(CHROMIUM === undefined)("a page and the real server", () => {
  let server: ServerProcess;
  let shop: Shop;
  let pages: Pages;
  let clientKey: string;

  beforeAll(async () => {
    server = await startServer();
    shop = await openShop(server);
    clientKey = await shop.key("client");
    await shop.admin.send("POST", "/projects/default/flags", { key: "server-only", description: "nobody's business" });
    pages = await openPages('export * from "sdk";');
  });
  afterAll(async () => {
    await pages?.close();
    await server?.stop();
  });

  it("is decided for by each change, and every exposure of a closing tab comes back once", async () => {
    const { page, faults } = await pages.open();
    const failed: string[] = [];
    page.on("response", (response) => {
      if (response.status() >= 400 && !response.url().endsWith("favicon.ico"))
        failed.push(`${response.status()} ${response.url()}`);
    });
    await page.evaluate(
      ([url, clientKey]) => {
        const { createClient } = globalThis.bundle as unknown as typeof sdk;
        globalThis.belay = createClient({ url, clientKey, context: { targetingKey: "user-0" } });
        return belay.ready();
      },
      [server.url, clientKey] as const,
    );
    const first = await page.evaluate(() => [
      belay.state,
      belay.evaluate("checkout", true),
      belay.isEnabled("server-only", true),
    ]);
    expect(first).toEqual(["live", expect.objectContaining({ value: false, metadata: { ticket: "SHOP-7" } }), true]);
    await followsEachChange(inShop(page), shop, 3);
    await exposesEachOnce(inShop(page), shop, 300);
    expect([...failed, ...faults]).toEqual([]);
  });

  it("fault 45: is given no server-only flag, description, owner or e-mail; the whole answer is small", async () => {
    const response = await fetch(`${server.url}/sdk/v1/snapshot`, { headers: { authorization: `Bearer ${clientKey}` } });
    const text = await response.text();
    expect(Object.keys(JSON.parse(text).flags).sort()).toEqual(["checkout", "pricing"]);
    expect(text).not.toMatch(/server-only|secret plan|nobody|mallory|@|description|owner|tags|createdAt/);
    expect(text.length).toBeLessThan(1_200);
  });
});
