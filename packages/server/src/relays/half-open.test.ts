/*
 * A relay between which and its server the network falls silent: no end, no reset, no byte. All is as it ships, the
 * heartbeat of 15 s too, so this takes half a minute, in which nearly nothing is done.
 */
import { randomUUID } from "node:crypto";
import { createClient } from "@belay/sdk-node";
import { ADMIN_TOKEN, startFaultProxy, startServer } from "@belay/testkit";
import { expect, it, onTestFinished } from "vitest";
import { type Answered, type Asked, askServer } from "../asked-server.fixture.ts";
import { HUB_LIMITS } from "../stream/hub.ts";

const P = "/api/v1/projects/default";
const ROLLOUT = `${P}/environments/production/flags/checkout/rollout`;
const USER = { targetingKey: "u" };

it("fault 19: a relay whose upstream fell silent leaves it after two heartbeats, catches up, and hands on what it took", async () => {
  const server = await startServer();
  onTestFinished(() => server.kill().then(() => undefined));
  const ask = async (...asked: Asked): Promise<Answered["body"]> => (await askServer(server, ...asked)).body;
  const keyOf = async (kind: string): Promise<string> =>
    (await ask("POST", `${P}/keys`, { environment: "production", kind, name: kind })).secret;
  const [relayKey, sdkKey] = [await keyOf("relay"), await keyOf("server")];
  await ask("POST", `${P}/flags`, { key: "checkout" });
  await ask("PUT", ROLLOUT, { percentage: 100 });

  const way = await startFaultProxy(server.port);
  onTestFinished(() => way.close());
  const relay = await startServer({ env: { BELAY_UPSTREAM: `http://127.0.0.1:${way.port}`, BELAY_UPSTREAM_KEYS: relayKey } });
  onTestFinished(() => relay.kill().then(() => undefined));
  const client = createClient({ url: relay.url, sdkKey });
  onTestFinished(() => client.close({ deadlineMs: 100 }).then(() => undefined));
  await client.ready();
  const before = client.revision;
  expect(client.isEnabled("checkout", USER)).toBe(true);

  // Each of the requests before it left nothing behind: the stream is all there is.
  await expect.poll(() => way.open, { timeout: 20_000 }).toBe(1);
  way.faults.isHalfOpen = true;
  const silentSince = performance.now();
  const { revision } = await ask("PUT", ROLLOUT, { percentage: 0 });
  const exposures = Array.from({ length: 20 }, (_, at) => exposureOf(at + 1));
  const taken = await fetch(`${relay.url}/sdk/v1/events`, {
    method: "POST",
    headers: { authorization: `Bearer ${sdkKey}`, "content-type": "application/json" },
    body: JSON.stringify({ batchId: "b", sdk: "test/1", instance: randomUUID(), sentAtMs: Date.now(), exposures }),
  });
  expect([taken.status, await taken.json()]).toEqual([202, { accepted: 20, duplicates: 0, rejected: [] }]);
  // Whatever it tries for the first half of that time is swallowed too; the connections of then stay dead for good.
  await expect.poll(() => performance.now() - silentSince, { timeout: 60_000 }).toBeGreaterThan(HUB_LIMITS.heartbeatMs);
  expect([client.revision, client.isEnabled("checkout", USER)]).toEqual([before, true]);
  way.faults.isHalfOpen = false;

  await expect.poll(() => client.revision, { timeout: 90_000, interval: 5 }).toBe(revision);
  const heartbeats = (performance.now() - silentSince) / HUB_LIMITS.heartbeatMs;
  expect(client.isEnabled("checkout", USER)).toBe(false);
  expect(heartbeats).toBeLessThan(2.5);
  const stored = async (): Promise<number> => (await ask("GET", `${P}/exposures/estimate?experiment=pricing`)).rows;
  await expect.poll(stored, { timeout: 60_000, interval: 100 }).toBe(20);
  const metrics = await fetch(`${relay.url}/metrics`, { headers: { authorization: `Bearer ${ADMIN_TOKEN}` } });
  expect(/^belay_relay_up\{[^}]*\} (\d)$/m.exec(await metrics.text())?.[1]).toBe("1");
}, 240_000);

function exposureOf(seq: number) {
  const unit = `u${seq}`;
  return { seq, timeMs: Date.now(), flag: "checkout", variant: "on", experiment: "pricing", epoch: 1, revision: 1, unit };
}
