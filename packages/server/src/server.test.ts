import { execFile } from "node:child_process";
import { once } from "node:events";
import { stat, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { seeded, startServer, type TempDir, tempDir } from "@belay/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readConfig } from "./config.ts";
import { readStream } from "./stream/sse.fixture.ts";

/** These start the built server as its users do. */
const run = promisify(execFile);

let dir: TempDir;
let dataDir: string;
beforeEach(async () => {
  dir = await tempDir("server");
  dataDir = join(dir.path, "data");
});
afterEach(() => dir.remove());

const NO_TOKEN = { BELAY_ADMIN_TOKEN: "" };

const RELAY_KEY = `belay_relay_${"a".repeat(12)}_${"b".repeat(32)}`;
const OTHER_KEY = RELAY_KEY.replace("relay", "server");
const RELAY = { BELAY_UPSTREAM: "https://belay.example", BELAY_UPSTREAM_KEYS: RELAY_KEY };

describe("the first start", () => {
  it("prints secrets once, and commands that work as printed", async () => {
    const first = await startServer({ dataDir, env: NO_TOKEN });
    const output = first.output();
    const [token] = output.match(/belay_token_\w+/) ?? [];
    const keys = [...new Set(output.match(/belay_server_\w+/g))];
    expect(keys).toHaveLength(3);
    expect((await stat(dataDir)).mode & 0o777).toBe(0o700);
    const commands = output.split("\n").filter((line) => line.startsWith("  curl "));
    expect(commands).toHaveLength(2);
    const answers = [];
    for (const command of commands) answers.push(JSON.parse((await run("bash", ["-c", command])).stdout));
    expect(answers).toMatchObject([{ key: "checkout-v2" }, { percentage: 50, revision: 3 }]);
    expect(await first.stop()).toEqual({ code: 0 });

    const second = await startServer({ dataDir, env: NO_TOKEN });
    expect(second.output()).not.toMatch(/belay_(token|server|client)_/);
    expect(second.output().trim().split("\n")).toHaveLength(1);
    const headers = { authorization: `Bearer ${token}` };
    const flag = await fetch(`${second.url}/api/v1/projects/default/flags/checkout-v2`, { headers });
    expect(await flag.json()).toEqual({ ...answers[0] });
    const snapshot = await fetch(`${second.url}/sdk/v1/snapshot`, { headers: { authorization: `Bearer ${keys[0]}` } });
    expect(await snapshot.json()).toMatchObject({ revision: 3, environment: "development" });
    await second.stop();
  });

  it("takes the admin token of the environment and does not print it; a new one takes its place", async () => {
    const status = async (url: string, token: string): Promise<number> =>
      (await fetch(`${url}/api/v1/tokens`, { headers: { authorization: `Bearer ${token}` } })).status;
    const first = await startServer({ dataDir, env: { BELAY_ADMIN_TOKEN: "token-number-one-1" } });
    expect(first.output()).not.toContain("token-number-one-1");
    expect(await status(first.url, "token-number-one-1")).toBe(200);
    await first.stop();
    const second = await startServer({ dataDir, env: { BELAY_ADMIN_TOKEN: "token-number-two-2" } });
    expect([await status(second.url, "token-number-one-1"), await status(second.url, "token-number-two-2")]).toEqual([401, 200]);
    await second.stop();
  });
});

describe("a start that cannot be", () => {
  it("says that the port is taken, and keeps the secrets for the start that succeeds", async () => {
    const holder = createServer().listen(0, "127.0.0.1");
    await once(holder, "listening");
    const { port } = holder.address() as AddressInfo;
    await expect(startServer({ dataDir, port, env: NO_TOKEN })).rejects.toThrow(
      `Port ${port} of 127.0.0.1 is taken. Stop what uses it, or set BELAY_PORT.`,
    );
    holder.close();
    const second = await startServer({ dataDir, env: NO_TOKEN });
    expect(second.output().match(/belay_server_\w+/)).toHaveLength(1);
    await second.stop();
  });

  it("says that another server uses the data folder, also after that one was killed", async () => {
    const holder = await startServer({ dataDir });
    await expect(startServer({ dataDir })).rejects.toThrow(/is used by another server/);
    await holder.kill();
    const next = await startServer({ dataDir });
    expect(await next.stop()).toEqual({ code: 0 });
  });

  it("says that the data folder cannot be written", async () => {
    await writeFile(dataDir, "a file, not a folder");
    await expect(startServer({ dataDir })).rejects.toThrow(/cannot be written \(EEXIST\)\. Set BELAY_DATA/);
  });

  it.each([
    [{ BELAY_PORT: "eighty" }, "BELAY_PORT must be a number from 0 to 65535"],
    [{ BELAY_PORT: "65536" }, "BELAY_PORT must be a number from 0 to 65535"],
    [{ BELAY_LOG: "loud" }, "BELAY_LOG must be one of trace"],
    [{ BELAY_CLICKHOUSE_URL: "localhost:8123" }, "BELAY_CLICKHOUSE_URL must be http://user:password@host:8123/database"],
    [{ BELAY_CLICKHOUSE_URL: "http://a:8123,b" }, "or several with commas between"],
    [{ BELAY_REDIS_URL: "localhost:6379" }, "BELAY_REDIS_URL must be redis://user:password@host:6379"],
    [{ BELAY_REDIS_SENTINEL: "main" }, "BELAY_REDIS_SENTINEL needs BELAY_REDIS_URL"],
    [{ BELAY_REDIS_URL: "redis://a", BELAY_REDIS_PREFIX: "a b" }, 'not "a b"'],
    [{ BELAY_DATABASE_URL: "mysql://a/b" }, "BELAY_DATABASE_URL must be postgres://user:password@host:5432/database"],
    [{ BELAY_WEBHOOK_ALLOW: "10.0.0.1, intranet" }, 'with commas between, not "intranet"'],
    [{ BELAY_WEBHOOK_ALLOW: "10.0.0.0/33" }, 'not "10.0.0.0/33"'],
    [{ BELAY_REQUESTS_PER_MINUTE: "0" }, 'BELAY_REQUESTS_PER_MINUTE must be a whole number from 1 to 1000000000, not "0"'],
    [{ BELAY_WRONG_SECRETS_PER_MINUTE: "-5" }, "BELAY_WRONG_SECRETS_PER_MINUTE must be a whole number from 1"],
    [{ BELAY_EVALUATIONS_PER_SECOND: "1e3" }, 'not "1e3"'],
    [{ BELAY_EVALUATIONS_PER_SECOND: "1000000001" }, 'not "1000000001"'],
    [{ BELAY_UPSTREAM: "http://a:b@c" }, "BELAY_UPSTREAM must be an address without a password"],
    [{ BELAY_UPSTREAM: "http://a" }, "BELAY_UPSTREAM_KEYS must hold SDK keys of kind relay"],
    [{ BELAY_UPSTREAM: "http://a", BELAY_UPSTREAM_KEYS: OTHER_KEY }, "BELAY_UPSTREAM_KEYS must hold SDK keys of kind relay"],
    [{ BELAY_UPSTREAM_KEYS: RELAY_KEY }, "BELAY_UPSTREAM_KEYS needs BELAY_UPSTREAM"],
    [{ BELAY_RELAY_NAME: "edge" }, "BELAY_RELAY_NAME needs BELAY_UPSTREAM"],
    [{ ...RELAY, BELAY_RELAY_NAME: "a b" }, 'not "a b"'],
    [{ ...RELAY, BELAY_REDIS_URL: "redis://a" }, "BELAY_UPSTREAM makes this a relay, which takes no BELAY_REDIS_URL"],
    [{ BELAY_CLICKHOUSE_CLUSTER: "c" }, "BELAY_CLICKHOUSE_CLUSTER needs BELAY_CLICKHOUSE_URL"],
    [{ BELAY_ADMIN_TOKEN: "short" }, "BELAY_ADMIN_TOKEN must have at least 16 characters"],
    [{ BELAY_ADMIN_TOKEN: "has a space in it " }, "BELAY_ADMIN_TOKEN must not hold spaces"],
  ])("refuses %o", (environment, message) => {
    expect(() => readConfig(environment)).toThrow(message);
  });

  it("reads the addresses of ClickHouse servers", () => {
    const environment = { BELAY_CLICKHOUSE_URL: "http://a:8123/db, https://ann:pw@b:8443/db", BELAY_CLICKHOUSE_CLUSTER: "c" };
    expect(readConfig(environment).clickHouse).toEqual({
      urls: ["http://a:8123/db", "https://ann:pw@b:8443/db"],
      cluster: "c",
    });
  });

  it("reads how often somebody may ask, and leaves what is not set to its defaults", () => {
    expect(readConfig({}).rates).toEqual({});
    const environment = { BELAY_REQUESTS_PER_MINUTE: "600", BELAY_WRONG_SECRETS_PER_MINUTE: "1000000000" };
    expect(readConfig(environment).rates).toEqual({ requestsPerMinute: 600, wrongPerMinute: 1_000_000_000 });
    expect(readConfig({ BELAY_EVALUATIONS_PER_SECOND: "1" }).rates).toEqual({ evaluationsPerSecond: 1 });
  });

  it("reads where Redis is: one, a cluster, sentinels", () => {
    const read = (more: Record<string, string>) =>
      readConfig({ BELAY_REDIS_URL: "redis://a:1, rediss://ann:pw@b:2", ...more }).redis;
    expect(read({})).toEqual({ urls: ["redis://a:1", "rediss://ann:pw@b:2"], prefix: "belay" });
    expect(read({ BELAY_REDIS_SENTINEL: "main", BELAY_REDIS_PREFIX: "shop:1" })).toEqual({
      urls: ["redis://a:1", "rediss://ann:pw@b:2"],
      prefix: "shop:1",
      sentinel: "main",
    });
  });

  it("has defaults that need no set-up", () => {
    expect(readConfig({ BELAY_PORT: "" })).toEqual({
      host: "127.0.0.1",
      port: 4400,
      dataDirectory: "./belay-data",
      logLevel: "warn",
      rates: {},
      webhookAllow: [],
      areMetersOpenHere: false,
    });
  });
});

describe("the end", () => {
  it.each(["SIGTERM", "SIGINT"] as const)(
    "by %s is orderly, with streams attached",
    async (signal) => {
      const server = await startServer({ dataDir, env: NO_TOKEN });
      const key = server.output().match(/belay_server_\w+/)?.[0] ?? "";
      const readers = await Promise.all(Array.from({ length: 100 }, () => readStream(server.url, key)));
      await Promise.all(readers.map((reader) => reader.until(1)));
      const startedMs = performance.now();
      process.kill(server.pid, signal);
      expect(await server.exited).toEqual({ code: 0 });
      expect(performance.now() - startedMs).toBeLessThan(5_000);
      expect(await Promise.all(readers.map(({ ended }) => ended))).toEqual(readers.map(() => "end"));
    },
    30_000,
  );

  it("fault 26: does not wait for a pull that nobody reads; it is cut and not ended", async () => {
    const server = await startServer({ dataDir, env: NO_TOKEN });
    const [token] = server.output().match(/belay_token_\w+/) ?? [];
    const key = server.output().match(/belay_server_\w+/)?.[0] ?? "";
    const path = "/api/v1/projects/default/exposures";
    // More than what sockets hold between the two ends.
    for (let from = 1; from <= 60_000; from += 2_000) {
      const exposures = Array.from({ length: 2_000 }, (_, at) => ({
        ...{ seq: from + at, timeMs: Date.now(), flag: "f", variant: "on", experiment: "e", epoch: 1, revision: 1 },
        unit: `unit-${from + at}-${"x".repeat(200)}`,
      }));
      const taken = await fetch(`${server.url}/sdk/v1/events`, {
        method: "POST",
        headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
        body: JSON.stringify({ batchId: `b${from}`, sentAtMs: Date.now(), sdk: "test/1", instance: "i", exposures }),
      });
      expect(taken.status).toBe(202);
    }
    const pull = await fetch(`${server.url}${path}`, {
      headers: { authorization: `Bearer ${token}`, "accept-encoding": "identity" },
    });
    const reader = pull.body?.getReader();
    expect((await reader?.read())?.done).toBe(false);
    expect(await server.stop()).toEqual({ code: 0 });
    const readOn = async (): Promise<void> => {
      while ((await reader?.read())?.done === false);
    };
    await expect(readOn()).rejects.toThrow("terminated");
  }, 60_000);
});

const KILLS = 12;
const SEED = 4_400;

it(`loses no acknowledged change when it is killed ${KILLS} times (seed ${SEED})`, async () => {
  const dice = seeded(SEED);
  let server = await startServer({ dataDir });
  const ask = (method: string, path: string, body?: object): Promise<Response> =>
    fetch(`${server.url}/api/v1/projects/default${path}`, {
      method,
      headers: { authorization: `Bearer ${server.adminToken}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  await ask("POST", "/flags", { key: "f" });
  const rollout = "/environments/production/flags/f/rollout";
  let acknowledged = { revision: 0, percentage: 0 };
  let changes = 0;
  let onChange = (): void => undefined;
  const change = async (percentage: number): Promise<void> => {
    const answer = await ask("PUT", rollout, { percentage });
    const body = (await answer.json()) as typeof acknowledged;
    changes += 1;
    onChange();
    if (body.revision > acknowledged.revision) acknowledged = body;
  };
  for (let kill = 0; kill < KILLS; kill += 1) {
    // Counted from the round's second change, so that a slow machine is killed while it writes too.
    const [before, afterMs] = [changes, 20 + dice.below(150)];
    onChange = () => {
      if (changes === before + 2) setTimeout(() => void server.kill(), afterMs);
    };
    // Four writers until the connection breaks.
    await Promise.allSettled(
      Array.from({ length: 4 }, async () => {
        for (;;) await change(dice.below(1_000_000) / 10_000);
      }),
    );
    await server.exited;
    server = await startServer({ dataDir });
    const found = (await (await ask("GET", rollout)).json()) as typeof acknowledged;
    expect(found.revision).toBeGreaterThanOrEqual(acknowledged.revision);
    if (found.revision === acknowledged.revision) expect(found.percentage).toBe(acknowledged.percentage);
  }
  expect(changes).toBeGreaterThan(KILLS);
  expect(await server.stop()).toEqual({ code: 0 });
}, 120_000);
