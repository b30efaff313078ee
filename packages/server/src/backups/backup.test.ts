import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, truncate, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { createClient } from "@belay/sdk-node";
import { freePort, type ServerProcess, startServer, type TempDir, tempDir } from "@belay/testkit";
import { afterEach, beforeEach, expect, it, onTestFinished } from "vitest";
import { fetchBackup } from "./fetch-backup.ts";
import { readManifest } from "./manifest.ts";
import { restore } from "./restore.ts";

const MAIN = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

/** These run the built server, and the commands' own functions. */
let dir: TempDir;
const servers: ServerProcess[] = [];
beforeEach(async () => {
  dir = await tempDir("backup");
});
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
  await dir.remove();
});

const start = async (name: string): Promise<ServerProcess> => {
  const server = await startServer({ dataDir: join(dir.path, name) });
  servers.push(server);
  return server;
};

const PROJECT = "/api/v1/projects/default";

async function ask(
  server: ServerProcess,
  method: string,
  path: string,
  body?: object,
  key = server.adminToken,
): Promise<Response> {
  const answer = await fetch(`${server.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, ...(body === undefined ? {} : { "content-type": "application/json" }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  expect([method, path, answer.ok]).toEqual([method, path, true]);
  return answer;
}

const batch = (from: number, count: number): object => ({
  batchId: `b${from}`,
  sentAtMs: Date.now(),
  sdk: "test/1",
  instance: "i",
  exposures: Array.from({ length: count }, (_, n) => ({
    ...{ seq: from + n, timeMs: 1_000 + n, flag: "f", variant: "on", experiment: "e", epoch: 1, revision: 1 },
    unit: `u${from + n}`,
  })),
});

const exposures = async (server: ServerProcess): Promise<string> => (await ask(server, "GET", `${PROJECT}/exposures`)).text();

it("a server restored from a backup of one that ran has its revisions, keys and exposures, and takes what comes again once", async () => {
  const first = await start("first");
  const key = (
    (await (await ask(first, "POST", `${PROJECT}/keys`, { environment: "production", kind: "server" })).json()) as {
      secret: string;
    }
  ).secret;
  await ask(first, "POST", `${PROJECT}/flags`, { key: "f" });
  await ask(first, "PUT", `${PROJECT}/environments/production/flags/f/rollout`, { percentage: 25 });
  await ask(first, "POST", "/sdk/v1/events", batch(1, 300), key);
  const loaded = await exposures(first);
  await ask(first, "POST", "/sdk/v1/events", batch(301, 200), key);
  const file = join(dir.path, "backup.tar.gz");
  await fetchBackup({ url: first.url, token: first.adminToken }, file);
  expect(await readdir(join(dir.path, "first", "backups"))).toEqual([]);
  const snapshot = await (await ask(first, "GET", "/sdk/v1/snapshot", undefined, key)).json();
  const all = await exposures(first);
  await ask(first, "PUT", `${PROJECT}/environments/production/flags/f/rollout`, { percentage: 75 });
  await first.stop();

  const manifest = await restore(file, join(dir.path, "second"));
  expect(manifest.parts).toEqual(["events", "deliveries.db", "changes.db"]);
  const second = await start("second");
  expect(await (await ask(second, "GET", "/sdk/v1/snapshot", undefined, key)).json()).toEqual(snapshot);
  expect(await exposures(second)).toBe(all);
  expect([loaded, all].map((text) => text.trim().split("\n").length)).toEqual([300, 500]);
  const again = await ask(second, "POST", "/sdk/v1/events", batch(301, 250), key);
  expect(await again.json()).toMatchObject({ accepted: 50, duplicates: 200 });
  expect((await exposures(second)).trim().split("\n")).toHaveLength(550);
});

it("after a restore applications that saw what was lost decide with what the server holds, and go on from there", async () => {
  const first = await start("first");
  const made = await ask(first, "POST", `${PROJECT}/keys`, { environment: "production", kind: "server" });
  const { secret } = (await made.json()) as { secret: string };
  const roll = (server: ServerProcess, percentage: number): Promise<Response> =>
    ask(server, "PUT", `${PROJECT}/environments/production/flags/f/rollout`, { percentage });
  await ask(first, "POST", `${PROJECT}/flags`, { key: "f" });
  await roll(first, 0);
  const logger = { warn: () => undefined, error: () => undefined };
  const application = createClient({ url: first.url, sdkKey: secret, logger, pollIntervalMs: 1_000 });
  onTestFinished(async () => void (await application.close({ deadlineMs: 100 })));
  await application.ready();
  const isOn = (): boolean => application.isEnabled("f", { targetingKey: "u" }, false);
  const { revision } = application;
  const file = join(dir.path, "backup.tar.gz");
  await fetchBackup({ url: first.url, token: first.adminToken }, file);
  for (const percentage of [10, 20, 100]) await roll(first, percentage);
  await expect.poll(isOn, { timeout: 10_000 }).toBe(true);
  expect(application.revision).toBe(revision + 3);
  const { port } = first;
  await servers.pop()?.stop();
  const env = { ...process.env, BELAY_DATA: join(dir.path, "second") };
  const told = await promisify(execFile)(process.execPath, [MAIN, "restore", "--from", file], { env });
  expect(told.stdout).toContain("Start the server.");
  const second = await startServer({ dataDir: join(dir.path, "second"), port });
  servers.push(second);
  await expect.poll(() => application.revision, { timeout: 40_000 }).toBe(revision + 1_000_001);
  expect(isOn()).toBe(false);
  await ask(second, "POST", `${PROJECT}/flags`, { key: "g" });
  await expect.poll(() => application.revision, { timeout: 40_000 }).toBe(revision + 1_000_002);
  expect(isOn()).toBe(false);
  await roll(second, 100);
  await expect.poll(isOn, { timeout: 40_000 }).toBe(true);
}, 90_000);

it("a backup is not put over anything, and a cut or foreign file restores nothing", async () => {
  const server = await start("server");
  const file = join(dir.path, "backup.tar.gz");
  await fetchBackup({ url: server.url, token: server.adminToken }, file);
  await expect(restore(file, server.dataDir)).rejects.toThrow("holds something already");
  const target = join(dir.path, "target");
  await truncate(file, 500);
  await expect(restore(file, target)).rejects.toThrow();
  await writeFile(file, "no archive at all");
  await expect(restore(file, target)).rejects.toThrow();
  expect((await readdir(dir.path)).filter((name) => name.startsWith("target"))).toEqual([]);
  await mkdir(target);
  await expect(fetchBackup({ url: server.url, token: "nobody" }, join(target, "b"))).rejects.toThrow("401");
  expect(await readdir(target)).toEqual([]);
  const nowhere = `http://127.0.0.1:${await freePort()}`;
  const unreached = fetchBackup({ url: nowhere, token: "any" }, join(target, "b"));
  await expect(unreached).rejects.toThrow(`The server at ${nowhere} cannot be reached (ECONNREFUSED).`);
});

it("a backup that breaks off keeps nothing, and says so", async () => {
  const halfway = createServer((_, answer) => {
    answer.writeHead(200).write("half of it");
    setTimeout(() => answer.destroy(), 50);
  }).listen(0, "127.0.0.1");
  await once(halfway, "listening");
  onTestFinished(() => void halfway.close());
  const url = `http://127.0.0.1:${(halfway.address() as AddressInfo).port}`;
  await expect(fetchBackup({ url, token: "any" }, join(dir.path, "b"))).rejects.toThrow("broke before the backup was whole");
  expect(await readdir(dir.path)).toEqual([]);
});

it("a list of contents that is none is refused", () => {
  expect(() => readManifest("{")).toThrow("no backup of Belay");
  expect(() => readManifest('{"version":2}')).toThrow("newer version");
  expect(() => readManifest('{"version":1,"madeAt":"x","parts":["../etc"]}')).toThrow("cannot be read");
  expect(() => readManifest('{"version":1,"madeAt":"x","parts":[],"servers":[1]}')).toThrow("cannot be read");
});
