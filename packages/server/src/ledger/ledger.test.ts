import type { ArmLedger, BatchReceipt, Exposure } from "@belay/protocol";
import { createClient } from "@belay/sdk-node";
import { type FaultProxy, type ServerProcess, seeded, startFaultProxy, startServer, type TempDir, tempDir } from "@belay/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { exposureOf } from "../store/events/events.fixture.ts";
import type { ArmAccount, InstanceAccount, SkewReport } from "./domain.ts";

const SEED = 28;
const UNITS = 3_000;

let data: TempDir;
let server: ServerProcess;
let proxy: FaultProxy;
let sdkKey: string;

beforeAll(async () => {
  data = await tempDir("ledger");
  server = await startServer({ dataDir: data.path });
  proxy = await startFaultProxy(server.port);
  sdkKey = String((await call("POST", "/keys", { environment: "production", kind: "server", name: "t" }))["secret"]);
  await call("POST", "/flags", { key: "pricing", type: "string", variants: { compact: "compact", roomy: "roomy" } });
  await call("PUT", "/environments/production/flags/pricing", {
    enabled: true,
    rules: [],
    fallthrough: { weights: { compact: 50, roomy: 50 }, tracks: { experiment: "pricing-test" } },
  });
});
afterAll(async () => {
  await proxy?.close();
  await server?.stop();
  await data?.remove();
});

async function call(method: string, path: string, body?: object): Promise<Record<string, unknown>> {
  const answer = await fetch(`${server.url}/api/v1/projects/default${path}`, {
    method,
    headers: {
      authorization: `Bearer ${server.adminToken}`,
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  expect(answer.status, `${method} ${path}: ${text}`).toBeLessThan(300);
  return JSON.parse(text) as Record<string, unknown>;
}

interface Report {
  readonly arms: readonly ArmAccount[];
  readonly skews: readonly SkewReport[];
}

const ledger = async (query = ""): Promise<Report> =>
  (await call("GET", `/environments/production/ledger${query}`)) as unknown as Report;

/** An application that is killed: it said how much it made, and sent only some of it. */
async function sendSome(instance: string, exposures: readonly Exposure[], arms: readonly ArmLedger[]): Promise<BatchReceipt> {
  const answer = await fetch(`${server.url}/sdk/v1/events`, {
    method: "POST",
    headers: { authorization: `Bearer ${sdkKey}`, "content-type": "application/json" },
    body: JSON.stringify({ batchId: "b", sentAtMs: Date.now(), sdk: "t", instance, exposures, ledger: arms }),
  });
  expect(answer.status).toBe(202);
  return (await answer.json()) as BatchReceipt;
}

test(`${UNITS} units over a network that cuts 3 connections of 10, the server killed twice (seed ${SEED}): exact per arm`, async () => {
  const dice = seeded(SEED);
  const belay = createClient({
    url: `http://127.0.0.1:${proxy.port}`,
    sdkKey,
    flushIntervalMs: 20,
    logger: { warn: () => {}, error: () => {} },
  });
  await belay.ready();
  const served = new Map<string, number>();
  let cuts = 0;
  for (let n = 0; n < UNITS; n += 1) {
    const variant = belay.value("pricing", { targetingKey: `unit-${n}` }, "none");
    served.set(variant, (served.get(variant) ?? 0) + 1);
    if (n % 20 !== 0) continue;
    await new Promise((resolve) => setTimeout(resolve, 10));
    if (dice.below(10) < 3) {
      proxy.reset();
      cuts += 1;
    }
    if (n !== 1_000 && n !== 2_000) continue;
    await server.kill();
    server = await startServer({ dataDir: data.path, port: server.port });
  }
  await expect.poll(() => belay.report().stored, { timeout: 60_000, interval: 100 }).toBe(UNITS);
  await belay.close();
  expect(cuts).toBeGreaterThan(30);
  const { arms, skews } = await ledger();
  const whole = { experiment: "pricing-test", dropped: 0, lost: 0, inFlight: 0 };
  expect(arms).toMatchObject(
    ["compact", "roomy"].map((variant) => ({ ...whole, variant, produced: served.get(variant), stored: served.get(variant) })),
  );
  expect(skews).toMatchObject([{ experiment: "pricing-test", verdict: "even", lossP: 1 }]);
}, 120_000);

test("a split that goes to the other arm and back, over a network that is cut: each unit counts once an epoch, exact per arm", async () => {
  await call("POST", "/flags", { key: "swap", type: "string", variants: { a: "a", b: "b" } });
  const belay = createClient({
    url: `http://127.0.0.1:${proxy.port}`,
    sdkKey,
    flushIntervalMs: 20,
    logger: { warn: () => {}, error: () => {} },
  });
  const units = 200;
  for (const arm of ["a", "b", "a"]) {
    const { revision } = await call("PUT", "/environments/production/flags/swap", {
      enabled: true,
      rules: [],
      fallthrough: { weights: { [arm]: 100 }, tracks: { experiment: "swap-test" } },
      newEpoch: true,
    });
    await expect.poll(() => belay.revision, { timeout: 30_000, interval: 20 }).toBeGreaterThanOrEqual(Number(revision));
    for (let n = 0; n < 2 * units; n += 1) {
      expect(belay.value("swap", { targetingKey: `unit-${n % units}` }, "none")).toBe(arm);
      if (n % 50 === 0) proxy.reset();
    }
  }
  await expect.poll(() => belay.report().stored, { timeout: 60_000, interval: 100 }).toBe(3 * units);
  await belay.close();
  const { arms } = await ledger("?experiment=swap-test");
  const whole = { experiment: "swap-test", dropped: 0, lost: 0, inFlight: 0 };
  expect(arms).toMatchObject([
    { ...whole, variant: "a", produced: 2 * units, stored: 2 * units },
    { ...whole, variant: "b", produced: units, stored: units },
  ]);
}, 120_000);

test("an application killed with 120 of 400 exposures of one arm unsent: in flight while it is heard, lost after; the skew is named a loss", async () => {
  const exposuresOf = (variant: string, from: number, count: number): Exposure[] =>
    Array.from({ length: count }, (_, index) =>
      exposureOf(from + index, { variant, experiment: "killed", timeMs: Date.now(), unit: `k-${from + index}` }),
    );
  const exposures = [...exposuresOf("a", 1, 400), ...exposuresOf("b", 401, 280)];
  const arms = ["a", "b"].map((variant) => ({ experiment: "killed", variant, produced: 400, dropped: 0 }));
  expect(await sendSome("killed-1", exposures, arms)).toMatchObject({ accepted: 680 });
  expect(await sendSome("killed-1", exposures.slice(0, 5), arms)).toMatchObject({ accepted: 0, duplicates: 5 });
  const arm = { experiment: "killed", produced: 400, dropped: 0, late: 0 };
  expect((await ledger("?experiment=killed")).arms).toEqual([
    { ...arm, variant: "a", stored: 400, lost: 0, inFlight: 0, duplicates: 5 },
    { ...arm, variant: "b", stored: 280, lost: 0, inFlight: 120, duplicates: 0 },
  ]);
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  const silent = await ledger("?experiment=killed&silentAfterS=1");
  expect(silent.arms.map(({ lost, inFlight }) => [lost, inFlight])).toEqual([
    [0, 0],
    [120, 0],
  ]);
  expect(silent.skews).toMatchObject([{ experiment: "killed", verdict: "skewed-loss" }]);
});

test("late arrivals and a full queue are counted, and neither looks like loss", async () => {
  const anHourAgo = Date.now() - 3_600_000;
  const exposures = Array.from({ length: 10 }, (_, index) =>
    exposureOf(index + 1, { experiment: "late", timeMs: index < 4 ? anHourAgo : Date.now() }),
  );
  await sendSome("late-1", exposures, [{ experiment: "late", variant: "treatment", produced: 25, dropped: 15 }]);
  const { items } = (await call("GET", "/environments/production/ledger/instances?experiment=late")) as unknown as {
    items: InstanceAccount[];
  };
  expect(items).toEqual([
    {
      instance: "late-1",
      seenAt: expect.any(String) as string,
      experiment: "late",
      variant: "treatment",
      produced: 25,
      stored: 10,
      dropped: 15,
      lost: 0,
      inFlight: 0,
      duplicates: 0,
      late: 4,
    },
  ]);
});

test("pages of instances hold each once", async () => {
  for (let n = 0; n < 5; n += 1) await sendSome(`page-${n}`, [exposureOf(1, { experiment: "paged" })], []);
  const seen: string[] = [];
  for (let cursor = ""; ; ) {
    const page = (await call(
      "GET",
      `/environments/production/ledger/instances?experiment=paged&limit=2${cursor}`,
    )) as unknown as {
      items: InstanceAccount[];
      next?: string;
    };
    seen.push(...page.items.map(({ instance }) => instance));
    if (page.next === undefined) break;
    cursor = `&cursor=${page.next}`;
  }
  expect(seen).toEqual(["page-0", "page-1", "page-2", "page-3", "page-4"]);
});
