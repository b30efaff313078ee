/*
 * A server and its relay as real processes, with a network between them that the test may break.
 */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type BelayClient, createClient } from "@belay/sdk-node";
import {
  ADMIN_TOKEN,
  type FaultProxy,
  type ServerProcess,
  seeded,
  startFaultProxy,
  startServer,
  type TempDir,
  tempDir,
} from "@belay/testkit";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { hashSecret } from "../access/secrets.ts";

// Processes that start take their time on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

const P = "/api/v1/projects/default";
const E = `${P}/environments/production`;
const ON = { targetingKey: "u" };

let server: ServerProcess;
let way: FaultProxy;
let folder: TempDir;
let env: Readonly<Record<string, string>>;
let relay: ServerProcess;
/** Keys of the environment by their kind. */
const keys = new Map<string, { readonly id: string; readonly secret: string }>();

beforeAll(async () => {
  server = await startServer();
  for (const kind of ["server", "client", "remote", "relay"]) {
    keys.set(kind, (await ask("POST", `${P}/keys`, { environment: "production", kind, name: kind })).body);
  }
  for (const flag of [{ key: "checkout", clientSide: true }, { key: "internal" }]) {
    await ask("POST", `${P}/flags`, flag);
    await ask("PUT", `${E}/flags/${flag.key}/rollout`, { percentage: 100 });
  }
  way = await startFaultProxy(server.port);
  folder = await tempDir("relay");
  env = { BELAY_UPSTREAM: `http://127.0.0.1:${way.port}`, BELAY_UPSTREAM_KEYS: secretOf("relay"), BELAY_RELAY_NAME: "edge" };
  relay = await startServer({ env, dataDir: join(folder.path, "data") });
}, 120_000);
afterAll(async () => {
  await relay?.kill();
  await server?.kill();
  await way?.close();
  await folder?.remove();
});

const secretOf = (kind: string): string => keys.get(kind)?.secret ?? "";

async function ask(method: string, path: string, body?: unknown) {
  const headers = {
    authorization: `Bearer ${ADMIN_TOKEN}`,
    ...(body === undefined ? {} : { "content-type": "application/json" }),
  };
  const answer = await fetch(`${server.url}${path}`, {
    method,
    headers,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  // biome-ignore lint/suspicious/noExplicitAny: a test reads what it just asserts on
  return { status: answer.status, body: (await answer.json()) as any };
}

/** Asks the relay. */
async function askRelay(path: string, secret: string, init: RequestInit & { readonly from?: string } = {}) {
  const { from = relay.url, ...more } = init;
  const json = more.body === undefined ? {} : { "content-type": "application/json" };
  const answer = await fetch(`${from}${path}`, {
    ...more,
    headers: { authorization: `Bearer ${secret}`, ...json, ...(more.headers as Record<string, string> | undefined) },
  });
  const text = await answer.text();
  const isJson = answer.headers.get("content-type")?.includes("json") === true && text !== "";
  // biome-ignore lint/suspicious/noExplicitAny: a test reads what it just asserts on
  return { status: answer.status, etag: answer.headers.get("etag"), text, body: (isJson ? JSON.parse(text) : undefined) as any };
}

const rollOut = async (percentage: number): Promise<number> =>
  (await ask("PUT", `${E}/flags/checkout/rollout`, { percentage })).body.revision;

async function restartRelay(): Promise<void> {
  await relay.kill();
  relay = await startServer({ env, dataDir: relay.dataDir, port: relay.port });
}

async function follow(url: string, sdkKey: string): Promise<BelayClient> {
  const client = createClient({ url, sdkKey, logger: { warn: () => undefined, error: () => undefined } });
  onTestFinished(() => client.close({ deadlineMs: 100 }).then(() => undefined));
  await client.ready();
  return client;
}

const meterOf = async (name: string): Promise<number> => {
  const { text } = await askRelay("/metrics", ADMIN_TOKEN);
  return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, "m").exec(text)?.[1]);
};

describe("a relay serves", () => {
  it("each kind of key what the server serves it, and 304 to who has it", async () => {
    for (const kind of ["server", "client"]) {
      const [here, there] = [
        await askRelay("/sdk/v1/snapshot", secretOf(kind)),
        await askRelay("/sdk/v1/snapshot", secretOf(kind), { from: server.url }),
      ];
      expect([here.status, here.etag, here.body]).toEqual([200, there.etag, there.body]);
      expect(Object.keys(here.body.flags)).toEqual(kind === "client" ? ["checkout"] : ["checkout", "internal"]);
      const again = await askRelay("/sdk/v1/snapshot", secretOf(kind), { headers: { "if-none-match": here.etag ?? "" } });
      expect([again.status, again.text]).toEqual([304, ""]);
    }
    expect((await askRelay("/sdk/v1/snapshot", secretOf("remote"))).body.code).toBe("wrong_key_kind");
    const evaluated = await askRelay("/ofrep/v1/evaluate/flags/checkout", secretOf("remote"), {
      method: "POST",
      body: JSON.stringify({ context: ON }),
    });
    expect(evaluated.body).toMatchObject({ key: "checkout", value: true });
    for (const secret of ["", "nothing", `${secretOf("server").slice(0, -1)}a`, ADMIN_TOKEN]) {
      expect([401, 403]).toContain((await askRelay("/sdk/v1/snapshot", secret)).status);
    }
    expect((await askRelay("/sdk/v1/snapshot", secretOf("relay"))).body.code).toBe("wrong_key_kind");
  });

  it("changes to SDKs by stream: ten of ten, in both directions", async () => {
    const client = await follow(relay.url, secretOf("server"));
    const tookMs: number[] = [];
    for (let turn = 0; turn < 10; turn++) {
      const isOn = turn % 2 === 1;
      const since = performance.now();
      await rollOut(isOn ? 100 : 0);
      await expect.poll(() => client.isEnabled("checkout", ON, !isOn), { interval: 1, timeout: 20_000 }).toBe(isOn);
      tookMs.push(Math.round(performance.now() - since));
    }
    process.stdout.write(`change to SDK through a relay, write included: ${tookMs.sort((a, b) => a - b).join(", ")} ms\n`);
    expect(tookMs).toHaveLength(10);
  });

  it("what pages may see, as soon as it is so, and no longer than that", async () => {
    const seen = async (): Promise<string[]> => Object.keys((await askRelay("/sdk/v1/snapshot", secretOf("client"))).body.flags);
    const show = (clientSide: boolean) =>
      fetch(`${server.url}${P}/flags/internal`, {
        method: "PATCH",
        headers: { authorization: `Bearer ${ADMIN_TOKEN}`, "content-type": "application/json" },
        body: JSON.stringify({ clientSide }),
      });
    expect((await show(true)).status).toBe(200);
    await expect.poll(seen).toEqual(["checkout", "internal"]);
    expect((await show(false)).status).toBe(200);
    await expect.poll(seen).toEqual(["checkout"]);
  });

  it("who is let in there: a key that is made, rotated and revoked", async () => {
    const made = (await ask("POST", `${P}/keys`, { environment: "production", kind: "server", name: "passing" })).body;
    const status = async (secret: string): Promise<number> => (await askRelay("/sdk/v1/snapshot", secret)).status;
    await expect.poll(() => status(made.secret)).toBe(200);
    const rotated = (await ask("POST", `${P}/keys/${made.id}/rotate`, { overlapHours: 1 })).body;
    await expect.poll(() => status(rotated.secret)).toBe(200);
    expect(await status(made.secret)).toBe(200);
    const stream = await fetch(`${relay.url}/sdk/v1/stream`, { headers: { authorization: `Bearer ${rotated.secret}` } });
    const ended = stream.text().then(
      () => "ended",
      () => "ended",
    );
    await ask("DELETE", `${P}/keys/${made.id}`);
    await expect.poll(() => status(rotated.secret)).toBe(401);
    expect(await Promise.race([ended, sleep(20_000, "still open")])).toBe("ended");
    const used = async () => (await ask("GET", `${P}/keys`)).body.items.find(({ id }: { id: string }) => id === made.id);
    await expect.poll(async () => (await used()).lastUsedAt !== undefined).toBe(true);
  });

  it("nothing else: its own doors are described, others named where they are", async () => {
    for (const path of [P, `${E}/flags/checkout`, "/api/v1/backup", "/triggers/v1/x", "/signin"]) {
      const { status, body } = await askRelay(path, ADMIN_TOKEN);
      expect([path, status, body.code]).toEqual([path, 421, "served_upstream"]);
      expect(body.detail).toContain(`127.0.0.1:${way.port}`);
    }
    expect((await askRelay("/nowhere", ADMIN_TOKEN)).body.code).toBe("route_not_found");
    const { paths } = (await askRelay("/docs/json", "")).body;
    expect(Object.keys(paths).filter((path) => !/^\/(sdk|ofrep|relay)\/v1\/|^\/(health\/|metrics$)/.test(path))).toEqual([]);
    expect(Object.keys(paths)).toHaveLength(14);
  });

  it("receipts to the server, which lists the instance with the relay it came by, and the relay itself", async () => {
    const client = await follow(relay.url, secretOf("server"));
    const listed = async () => (await ask("GET", `${P}/instances?limit=500`)).body.items;
    const at = async () => (await listed()).filter(({ revision }: { revision: number }) => revision === client.revision);
    await expect.poll(async () => (await at()).length, { timeout: 20_000 }).toBeGreaterThanOrEqual(2);
    const all: { instance: string; sdk: string; via?: string[] }[] = await listed();
    const own = all.find(({ sdk }) => sdk.startsWith("relay/"));
    expect(own?.instance).toMatch(/^edge-[0-9a-f]{8}$/);
    expect(own?.via).toBeUndefined();
    expect(all.filter(({ sdk }) => sdk.startsWith("node/")).every(({ via }) => via?.join() === own?.instance)).toBe(true);
  });
});

describe("where the upstream is away", () => {
  it("a relay goes on, starts again from what it kept, and catches up by itself; no revision falls", async () => {
    const client = await follow(relay.url, secretOf("server"));
    const decided: number[] = [];
    client.on("change", ({ revision }) => decided.push(revision));
    const before = await rollOut(37);
    await expect.poll(() => client.revision).toBe(before);
    await way.refuse();
    await expect.poll(() => meterOf("belay_relay_up")).toBe(0);
    const during = await rollOut(100);
    await restartRelay();
    for (const kind of ["server", "client"]) {
      const { status, body } = await askRelay("/sdk/v1/snapshot", secretOf(kind));
      expect([status, body.revision]).toEqual([200, before]);
    }
    expect(await meterOf("belay_relay_revision")).toBe(before);
    await way.restore();
    await expect.poll(() => client.revision, { timeout: 60_000 }).toBe(during);
    await expect.poll(() => meterOf("belay_relay_up")).toBe(1);
    expect(decided).toEqual([...decided].sort((a, b) => a - b));
  });

  it("fault 46: its log says what is wrong and in which environment, and no hash of a key", async () => {
    const linesBefore = relay.output().split("\n").length;
    await way.refuse();
    const told = (): string | undefined =>
      relay
        .output()
        .split("\n")
        .slice(linesBefore - 1)
        .find((line) => line.includes("cannot be reached"));
    await expect.poll(told, { timeout: 20_000 }).toBeDefined();
    await way.restore();
    await expect.poll(() => meterOf("belay_relay_up"), { timeout: 20_000 }).toBe(1);
    expect(JSON.parse(told() ?? "")).toMatchObject({ project: "default", environment: "production" });
    const hashes = [...keys.values()].map(({ secret }) => hashSecret(secret));
    expect(hashes).toHaveLength(4);
    expect(hashes.filter((hash) => relay.output().includes(hash))).toEqual([]);
  });

  it("a relay that knows nothing yet says so, and is ready once it does", async () => {
    await way.refuse();
    const unready = await tempDir("relay");
    onTestFinished(unready.remove);
    const port = relay.port;
    await relay.kill();
    const fresh = startServer({ env, dataDir: join(unready.path, "data"), port });
    onTestFinished(async () => {
      await (await fresh).kill();
      relay = await startServer({ env, dataDir: relay.dataDir, port });
    });
    const ready = () => askRelay("/health/ready", "").catch(() => undefined);
    await expect.poll(async () => (await ready())?.status, { timeout: 30_000 }).toBe(503);
    expect((await ready())?.body.detail).toContain("nothing is known yet of the environment of key");
    // Not 401: who is told that its key is wrong stays away for minutes.
    expect((await askRelay("/sdk/v1/snapshot", secretOf("server"))).body.code).toBe("store_unavailable");
    await way.restore();
    await expect.poll(async () => (await ready())?.status, { timeout: 30_000 }).toBe(200);
    expect((await askRelay("/sdk/v1/snapshot", secretOf("server"))).status).toBe(200);
  });
});

describe("events", () => {
  /** More with `BELAY_KILLS=200`. */
  const KILLS = Number(process.env["BELAY_KILLS"] ?? 3);
  const SEED = Number(process.env["BELAY_SEED"] ?? 421);

  it(
    `that a relay acknowledged are stored once, over ${KILLS} kill -9, cut connections and repeats (seed ${SEED})`,
    async () => {
      const dice = seeded(SEED);
      const instance = randomUUID();
      const acknowledged = new Set<number>();
      let produced = 0;
      let isOver = false;
      /** One lane of an instance: repeats a batch, the same, until it is acknowledged, and now and then once more. */
      const lane = async (): Promise<void> => {
        while (!isOver) {
          const exposures = Array.from({ length: 5 }, () => exposureOf(++produced));
          const batch = { batchId: `b${produced}`, sdk: "test/1", instance, exposures };
          const counts = [{ flag: "checkout", variant: "on", count: 5 }];
          const ledger = [{ experiment: "pricing", variant: "on", produced, dropped: 0 }];
          for (let isTaken = false; !isTaken; ) {
            const body = JSON.stringify({ ...batch, counts, ledger, sentAtMs: Date.now() });
            const answer = await askRelay("/sdk/v1/events", secretOf("server"), { method: "POST", body }).catch(() => undefined);
            if (answer === undefined) await sleep(20);
            isTaken = answer?.status === 202 && dice.below(4) > 0;
          }
          for (const { seq } of exposures) acknowledged.add(seq);
        }
      };
      const lanes = Array.from({ length: 3 }, lane);
      for (let kill = 0; kill < KILLS; kill++) {
        await sleep(50 + dice.below(400));
        if (dice.below(2) === 0) way.reset();
        await restartRelay();
      }
      await way.refuse();
      await sleep(300);
      isOver = true;
      await Promise.all(lanes);
      await way.restore();
      expect(acknowledged.size).toBe(produced);
      expect(produced).toBeGreaterThan(KILLS * 15);
      const stored = async (): Promise<number[]> => {
        const answer = await fetch(`${server.url}${P}/exposures?experiment=pricing`, {
          headers: { authorization: `Bearer ${ADMIN_TOKEN}`, accept: "application/x-ndjson" },
        });
        const lines = (await answer.text()).split("\n").filter((line) => line !== "");
        return lines.map((line) => Number((JSON.parse(line) as { unit: string }).unit.slice(1)));
      };
      await expect.poll(async () => new Set(await stored()).size, { timeout: 60_000, interval: 200 }).toBe(produced);
      const units = await stored();
      expect([units.length, Math.min(...units), Math.max(...units)]).toEqual([produced, 1, produced]);
      const lines = (await ask("GET", `${E}/ledger/instances`)).body.items as { instance: string }[];
      expect(lines.filter((line) => line.instance === instance)).toMatchObject([
        { experiment: "pricing", variant: "on", produced, stored: produced, dropped: 0, lost: 0, inFlight: 0 },
      ]);
      await expect.poll(() => meterOf("belay_relay_lag_seconds")).toBe(0);
      process.stdout.write(`${produced} exposures through a relay that was killed ${KILLS} times: 0 lost, 0 twice\n`);
    },
    60_000 + KILLS * 30_000,
  );

  it("keep the time their instance gave them, however long they lay in the relay", async () => {
    const instance = randomUUID();
    await way.refuse();
    const aheadMs = 3_600_000;
    const exposure = { ...exposureOf(1), timeMs: Date.now() + aheadMs - 5, unit: "late", experiment: "clocked" };
    const batch = { batchId: "b", sdk: "test/1", instance, sentAtMs: Date.now() + aheadMs, exposures: [exposure] };
    const taken = await askRelay("/sdk/v1/events", secretOf("server"), { method: "POST", body: JSON.stringify(batch) });
    expect(taken.body).toEqual({ accepted: 1, duplicates: 0, rejected: [] });
    await expect.poll(() => meterOf("belay_relay_lag_seconds"), { timeout: 20_000 }).toBeGreaterThan(1.5);
    await way.restore();
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}`, accept: "application/x-ndjson" };
    const pull = async (): Promise<string> => (await fetch(`${server.url}${P}/exposures?experiment=clocked`, { headers })).text();
    await expect.poll(pull, { timeout: 30_000 }).not.toBe("");
    const row = JSON.parse(await pull());
    expect(Date.parse(row.time)).toBe(exposure.timeMs);
    expect(row.instance).toBe(instance);
  });
});

describe("relays in a row", () => {
  it("serve, carry and say by which way; a circle of them follows nobody", async () => {
    const dirs = await Promise.all([tempDir("relay"), tempDir("relay")]);
    const second = await startServer({
      env: { BELAY_UPSTREAM: relay.url, BELAY_UPSTREAM_KEYS: secretOf("relay"), BELAY_RELAY_NAME: "second" },
      dataDir: join(dirs[0]?.path ?? "", "data"),
    });
    onTestFinished(async () => {
      await second.kill();
      await Promise.all(dirs.map((dir) => dir.remove()));
    });
    const client = await follow(second.url, secretOf("server"));
    const revision = await rollOut(61);
    await expect.poll(() => client.revision, { timeout: 30_000 }).toBe(revision);
    const instance = randomUUID();
    const exposures = [{ ...exposureOf(1), experiment: "in-a-row" }];
    const body = JSON.stringify({ batchId: "b", sdk: "test/1", instance, sentAtMs: Date.now(), exposures });
    const answer = await askRelay("/sdk/v1/events", secretOf("server"), { method: "POST", body, from: second.url });
    expect(answer.status).toBe(202);
    const estimate = async () => (await ask("GET", `${P}/exposures/estimate?experiment=in-a-row`)).body.rows;
    await expect.poll(estimate, { timeout: 30_000 }).toBe(1);
    const items = async () => (await ask("GET", `${P}/instances?limit=500`)).body.items as { via?: string[] }[];
    await expect.poll(async () => (await items()).some(({ via }) => via?.length === 2), { timeout: 30_000 }).toBe(true);
    const far = (await items()).find(({ via }) => via?.length === 2)?.via;
    expect(far?.map((name) => name.slice(0, -9))).toEqual(["second", "edge"]);

    // The first one is made to follow the second.
    await relay.kill();
    relay = await startServer({ env: { ...env, BELAY_UPSTREAM: second.url }, dataDir: relay.dataDir, port: relay.port });
    await expect.poll(() => meterOf("belay_relay_up"), { timeout: 30_000 }).toBe(0);
    expect((await askRelay("/sdk/v1/snapshot", secretOf("server"))).body.revision).toBe(revision);
    await restartRelay();
    await expect.poll(() => meterOf("belay_relay_up"), { timeout: 30_000 }).toBe(1);
  });
});

function exposureOf(seq: number) {
  return {
    seq,
    timeMs: Date.now(),
    flag: "checkout",
    variant: "on",
    experiment: "pricing",
    epoch: 1,
    revision: 1,
    unit: `u${seq}`,
  };
}
