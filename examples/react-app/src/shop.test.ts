/* The shop as people meet it: a real server, a real browser, the events as an analyst pulls them. */
import { chromiumPath, type ServerProcess, startServer } from "@belay/testkit";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Operator, setUpFlags } from "./flags.ts";
import { openShop, type Shop } from "./shop.ts";

const VISITORS = 6;
const CHROMIUM = chromiumPath();

// Without a browser there is nothing to run in; who looked for it says so loudly.
describe.skipIf(CHROMIUM === undefined)("the shop in Chromium", () => {
  let server: ServerProcess;
  let operator: Operator;
  let shop: Shop;
  let browser: Browser;

  beforeAll(async () => {
    server = await startServer();
    operator = await setUpFlags(server.url, server.adminToken);
    shop = await openShop({ url: server.url, clientKey: operator.clientKey });
    browser = await chromium.launch({ executablePath: CHROMIUM as string, args: ["--no-sandbox", "--disable-gpu"] });
  });
  afterEach(async () => {
    for (const context of browser.contexts()) await context.close();
  });
  afterAll(async () => {
    await browser?.close();
    await shop?.close();
    await server?.stop();
  });

  /** A page of the shop in a profile, once it is live; what the browser complained of beside it. */
  async function enter(context: BrowserContext): Promise<{ page: Page; faults: string[] }> {
    const page = await context.newPage();
    const faults: string[] = [];
    page.on("pageerror", (error) => faults.push(error.message));
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") faults.push(message.text());
    });
    await page.goto(shop.url);
    await expect.poll(() => page.textContent("#state")).toBe("live");
    return { page, faults };
  }

  const setShipping = (percentage: number): Promise<unknown> =>
    operator.send("PUT", "/environments/production/flags/free-shipping/rollout", { percentage });

  async function exposures(): Promise<{ unit: string; variant: string }[]> {
    const response = await fetch(`${server.url}/api/v1/projects/default/exposures?environment=production&format=ndjson`, {
      headers: { authorization: `Bearer ${server.adminToken}` },
    });
    const lines = (await response.text()).split("\n").filter((line) => line !== "");
    return lines.map((line) => JSON.parse(line) as { unit: string; variant: string });
  }

  it("shows a ribbon in every open page when its percentage is raised, and takes it away again", async () => {
    const pages = [await enter(await browser.newContext()), await enter(await browser.newContext())];
    for (const [percentage, ribbons] of [
      [100, 1],
      [0, 0],
      [100, 1],
      [0, 0],
    ] as const) {
      await setShipping(percentage);
      for (const { page } of pages) await expect.poll(() => page.locator("#ribbon").count()).toBe(ribbons);
    }
    expect(await pages[0]?.page.textContent("#why-free-shipping")).toBe("free-shippingfalseDEFAULT");
    expect(pages.flatMap(({ faults }) => faults)).toEqual([]);
  });

  it("hydrates what the server rendered: the same nodes stay, and nothing is said to mismatch", async () => {
    const context = await browser.newContext();
    const noScript = await (await browser.newContext({ javaScriptEnabled: false })).newPage();
    await noScript.goto(shop.url);
    expect(await noScript.textContent("#headline")).toBe("Something warm for November");
    const page = await context.newPage();
    await page.addInitScript(() => {
      document.addEventListener("readystatechange", () => {
        const headline = document.getElementById("headline");
        if (headline !== null) headline.dataset["renderedBy"] = "server";
      });
    });
    const said: string[] = [];
    page.on("console", (message) => said.push(message.text()));
    page.on("pageerror", (error) => said.push(error.message));
    await page.goto(shop.url);
    await expect.poll(() => page.textContent("#state")).toBe("live");
    expect(await page.getAttribute("#headline", "data-rendered-by")).toBe("server");
    expect(said).toEqual([]);
  });

  it("exposes each visitor once a visit, and always in the arm that was shown", async () => {
    const before = new Set((await exposures()).map(({ unit }) => unit));
    const shown = new Map<string, string | null>();
    for (let visitor = 0; visitor < VISITORS; visitor++) {
      const context = await browser.newContext();
      for (let visit = 0; visit < 2; visit++) {
        const { page, faults } = await enter(context);
        const cards = await page.getAttribute("#teas", "data-cards");
        const [cookie] = await context.cookies();
        expect(shown.get(cookie?.value ?? "") ?? cards).toBe(cards);
        shown.set(cookie?.value ?? "", cards);
        await page.click("button");
        expect(faults).toEqual([]);
        await page.close({ runBeforeUnload: true });
      }
    }
    const pulled = async (): Promise<(readonly [string, string])[]> => {
      const own = (await exposures()).filter(({ unit }) => !before.has(unit));
      return own.map(({ unit, variant }) => [unit, variant] as const).sort();
    };
    await expect.poll(async () => (await pulled()).length).toBe(2 * VISITORS);
    const arms = new Map(await pulled());
    expect([...arms].sort()).toEqual([...shown].sort());
    expect(arms.size).toBe(VISITORS);
  });
});
