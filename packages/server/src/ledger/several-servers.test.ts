import type { ReleaseLog } from "@belay/protocol";
import { ADMIN_TOKEN, type ServerProcess, startServer } from "@belay/testkit";
import { expect, it, onTestFinished } from "vitest";
import { type Asked, answerOf } from "../asked-server.fixture.ts";
import { plainText } from "../releases/markdown.ts";
import { ERRORS } from "../releases/release.fixture.ts";
import { withPostgres } from "../store/changes/postgres.fixture.ts";
import type { LedgerReport } from "./views.ts";

const P = "/api/v1/projects/default";
const E = `${P}/environments/production`;
const UNITS = 40;

withPostgres("the ledger of two servers that keep events each of its own", (postgres) => {
  it("has an instance's exposures at both, loses none, and a log names whose events are not in it", async () => {
    const env = { BELAY_DATABASE_URL: await postgres().database() };
    const nodes: ServerProcess[] = await Promise.all([startServer({ env }), startServer({ env })]);
    onTestFinished(() => Promise.all(nodes.map((node) => node.kill())).then(() => undefined));
    const ask = <T>(node: number, ...asked: Asked): Promise<T> => answerOf<T>(nodes[node], ...asked);
    const { secret } = await ask<{ secret: string }>(0, "POST", `${P}/keys`, { environment: "production", kind: "server" });
    await ask(0, "POST", `${P}/flags`, { key: "checkout" });
    const stages = [10, 100].map((percentage) => ({ name: "s", percentage, hold: { minDurationS: 3_600 }, gates: [] }));
    const draft = { key: "checkout", flag: "checkout", stages, guardrails: [ERRORS], alertRoutes: ["slack:#r"] };
    await ask(0, "POST", `${E}/releases`, draft);
    for (const verb of ["ready", "start"]) await ask(0, "POST", `${E}/releases/checkout/${verb}`, {});
    await expect.poll(() => ask<{ items: unknown[] }>(1, "GET", `${E}/releases`).then(({ items }) => items.length)).toBe(1);
    expect((await ask<ReleaseLog>(0, "GET", `${E}/releases/checkout/log`)).notCounted).toEqual([]);

    // One application that a balancer sends to both in turn; it tells whichever it speaks to how much it made so far.
    for (let made = 1; made <= UNITS; made += 1) {
      const exposure = { seq: made, timeMs: Date.now(), unit: `u${made}`, flag: "checkout", variant: "on", release: "checkout" };
      await ask(
        made % 2,
        "POST",
        "/sdk/v1/events",
        {
          ...{ batchId: `b${made}`, sentAtMs: Date.now(), sdk: "test/1", instance: "8f14e45f-ceea-467f-a8f0-5d6d1f0a0c10" },
          exposures: [{ ...exposure, epoch: 1, revision: 1 }],
          ledger: [{ release: "checkout", variant: "on", produced: made, dropped: 0 }],
        },
        secret,
      );
    }
    const arms = async (node: number): Promise<unknown[]> =>
      (await ask<LedgerReport>(node, "GET", `${E}/ledger?release=checkout&silentAfterS=1`)).arms.map(
        ({ produced, stored, lost, inFlight }) => ({ produced, stored, missing: lost + inFlight }),
      );
    const whole = [{ produced: UNITS, stored: UNITS, missing: 0 }];
    await expect.poll(() => Promise.all([arms(0), arms(1)]), { timeout: 180_000, interval: 500 }).toEqual([whole, whole]);

    const names = async (node: number): Promise<string[]> =>
      (await ask<LedgerReport>(node, "GET", `${E}/ledger`)).servers.map(({ server }) => server);
    const [[second = ""], [first = ""]] = [await names(0), await names(1)];
    expect(new Set([first, second]).size).toBe(2);
    const log = await ask<ReleaseLog>(0, "GET", `${E}/releases/checkout/log`);
    expect([log.notCounted, log.exposure.map(({ treated }) => treated)]).toEqual([[second], [UNITS / 2]]);
    const notCounted = async (path: string): Promise<string | null> =>
      (await fetch(`${nodes[0]?.url}${path}`, { headers: { authorization: `Bearer ${ADMIN_TOKEN}` } })).headers.get(
        "belay-not-counted",
      );
    expect(await notCounted(`${P}/exposures?environment=production`)).toBe(second);
    expect(await notCounted(`${P}/exposures?environment=staging`)).toBeNull();
    expect(await notCounted(`${P}/cumulative-effect?environment=production&metric=none`)).toBe(second);
    expect(await notCounted(`${E}/ledger`)).toBeNull();
    const page = await fetch(`${nodes[0]?.url}${E}/releases/checkout/log?format=markdown`, {
      headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
    });
    expect(await page.text()).toContain(`## What is not counted\n\n- Events that ${plainText(second)} took in`);
  }, 300_000);
});
