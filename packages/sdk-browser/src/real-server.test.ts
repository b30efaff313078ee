/* The bundle in a real browser against the real, built server: the doors fit, end to end. */
import { type ServerProcess, startServer } from "@belay/testkit";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bundled } from "./bundle.fixture.ts";
import { CHROMIUM, launch, openPage, openSite, type Site } from "./chromium.fixture.ts";
import type * as sdk from "./index.ts";

// Without a browser there is nothing to run in; the fixture says so loudly.
describe.skipIf(CHROMIUM === undefined)("a page and the real server", () => {
  let server: ServerProcess;
  let browser: Browser;
  let site: Site;
  let clientKey: string;

  async function call(method: string, path: string, body?: object): Promise<Record<string, unknown>> {
    const response = await fetch(`${server.url}/api/v1/projects/default${path}`, {
      method,
      headers: {
        authorization: `Bearer ${server.adminToken}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    expect(response.status, `${method} ${path}: ${await response.clone().text()}`).toBeLessThan(300);
    return (await response.json()) as Record<string, unknown>;
  }

  async function pulled(): Promise<Record<string, unknown>[]> {
    const response = await fetch(`${server.url}/api/v1/projects/default/exposures?environment=production&format=ndjson`, {
      headers: { authorization: `Bearer ${server.adminToken}` },
    });
    const lines = (await response.text()).split("\n").filter((line) => line !== "");
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  beforeAll(async () => {
    server = await startServer();
    const { text, folder } = await bundled('export * from "sdk";');
    await folder.remove();
    site = await openSite(text);
    browser = await launch();
    const key = await call("POST", "/keys", { environment: "production", kind: "client", name: "page" });
    clientKey = String(key["secret"]);
    await call("POST", "/flags", {
      key: "checkout",
      clientSide: true,
      description: "a secret plan",
      owner: "mallory@example.com",
    });
    await call("POST", "/flags", { key: "server-only", description: "nobody's business" });
    await call("POST", "/flags", {
      key: "pricing",
      type: "string",
      variants: { compact: "compact", roomy: "roomy" },
      clientSide: true,
    });
    await call("PUT", "/environments/production/flags/pricing", {
      enabled: true,
      rules: [],
      fallthrough: { weights: { compact: 50, roomy: 50 }, tracks: { experiment: "pricing-test" } },
    });
  });
  afterAll(async () => {
    await browser?.close();
    await site?.close();
    await server?.stop();
  });

  it("is decided for by each change, and every exposure of a closing tab comes back once", async () => {
    const { page, faults } = await openPage(browser, site.url);
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
    expect(await page.evaluate(() => [belay.state, belay.isEnabled("checkout"), belay.isEnabled("server-only", true)])).toEqual([
      "live",
      false,
      true,
    ]);
    for (const percentage of [100, 0, 100]) {
      await call("PUT", "/environments/production/flags/checkout/rollout", { percentage });
      await expect.poll(() => page.evaluate(() => belay.isEnabled("checkout")), { interval: 5 }).toBe(percentage === 100);
    }
    const served = await page.evaluate(() => {
      const served: [string, string][] = [];
      for (let at = 0; at < 300; at++) {
        belay.identify({ targetingKey: `user-${at}` });
        served.push([`user-${at}`, belay.value("pricing", "none")]);
      }
      return served;
    });
    await page.close({ runBeforeUnload: true });
    await expect.poll(async () => (await pulled()).length, { interval: 200 }).toBe(300);
    expect((await pulled()).map((row) => [row["unit"], row["variant"]]).sort()).toEqual(served.sort());
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
