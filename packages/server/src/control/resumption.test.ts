import { join } from "node:path";
import { type TempDir, tempDir } from "@belay/testkit";
import { afterEach, beforeEach, expect, it } from "vitest";
import { E, P, type TestServer, testServer } from "../app.fixture.ts";
import { COMPILE_OPTIONS } from "../compile-options.ts";
import { prepareFirstStart } from "../first-start.ts";
import { Feeds } from "../snapshots/feeds.ts";
import { EMPTY_WORKSPACE } from "../state/amend.ts";
import { type ChangeLog, openChangeLog } from "../store/changes/index.ts";
import { openDriver } from "../store/sqlite/driver.ts";
import { ControlPlane } from "./control-plane.ts";
import { resumed, servedBy } from "./resumption.ts";

/** A log whose database is exchanged under the server that uses it. */
let live: { log: ChangeLog };
let dir: TempDir;
let server: TestServer;
let ask: TestServer["ask"];
const opened: ChangeLog[] = [];

beforeEach(async () => {
  dir = await tempDir("resumption");
  server = await testServer({ dir, wrapLog: exchangeable });
  ({ ask } = server);
  await ask("POST", `${P}/flags`, { key: "checkout", clientSide: true });
  await roll(10);
});
afterEach(async () => {
  for (const log of opened.splice(0)) await log.close();
  await server.close();
  await dir.remove();
});

const roll = (percentage: number) => ask("PUT", `${E}/flags/checkout/rollout`, { percentage });
const percentage = async (): Promise<number> => (await ask("GET", `${E}/flags/checkout/rollout`)).body.percentage;
const revision = async (): Promise<number> => (await ask("GET", E)).body.revision;
const projectRevision = (): number => server.control.workspace.projects.get("default")?.revision ?? 0;

function exchangeable(log: ChangeLog): ChangeLog {
  live = { log };
  return new Proxy(log, {
    get: (_, name) => {
      const own = Reflect.get(live.log, name);
      return typeof own === "function" ? own.bind(live.log) : own;
    },
  });
}

/** What a backup of now would bring back. */
async function copyOfNow(): Promise<ChangeLog> {
  const [from, to] = [join(dir.path, "changes.db"), join(dir.path, `copy-${opened.length}.db`)];
  const driver = await openDriver(from);
  driver.run("vacuum into ?", [to]);
  driver.close();
  const log = await openChangeLog(to);
  opened.push(log);
  return log;
}

/** Another server on that log, with the changes it makes there. */
async function elsewhere(log: ChangeLog): Promise<ControlPlane> {
  return ControlPlane.open({ log, now: () => server.clock.now + 1, compile: COMPILE_OPTIONS });
}

it("fault 53: a log that lost changes is served as it is, above every revision that was served, and taken on from there", async () => {
  const feed = new Feeds(server.control).of({ project: "default", environment: "production", kind: "server" });
  const older = await copyOfNow();
  const [kept, keptProject] = [await revision(), projectRevision()];
  for (const share of [20, 30, 40]) await roll(share);
  await ask("POST", `${P}/flags`, { key: "lost" });
  expect([await revision(), projectRevision()]).toEqual([kept + 4, keptProject + 1]);
  const frames: string[] = [];
  feed?.onChange((frame) => frames.push(frame.toString()));
  live.log = older;
  await server.control.follow();
  await expect.poll(revision).toBe(kept + 5);
  expect(projectRevision()).toBe(keptProject + 2);
  expect(await percentage()).toBe(10);
  expect((await ask("GET", `${P}/flags/lost`)).status).toBe(404);
  // Applications hold what no difference starts from: they are sent all of it.
  expect(frames).toHaveLength(1);
  expect(frames[0]).toContain("event: snapshot\n");
  expect(frames[0]).toContain(`"revision":${kept + 5}`);
  expect(await roll(50)).toMatchObject({ status: 200, body: { revision: kept + 6 } });
  const { items } = (await ask("GET", `${P}/changes?action=project.resume`)).body;
  expect(items).toMatchObject([
    {
      actor: { id: "system" },
      target: { kind: "project", key: "default" },
      after: { production: { from: kept, to: kept + 5 } },
      raised: { production: kept + 5 },
    },
  ]);
  // Once, however often it looks.
  await server.control.follow();
  expect(await revision()).toBe(kept + 6);
});

it("where others went on first, also beyond where this server was, theirs is served, above both", async () => {
  const older = await copyOfNow();
  const kept = await revision();
  for (const share of [20, 30]) await roll(share);
  const other = await elsewhere(older);
  for (let at = 0; at < 5; at += 1) {
    await other.execute({
      origin: { actor: { id: "b", name: "Bea" }, requestId: `r${at}` },
      decide: (workspace) => resumed(workspace, { project: "default", revision: 0, environments: new Map() }),
    });
  }
  live.log = older;
  await server.control.follow();
  await expect.poll(revision).toBe(kept + 6);
  expect(await percentage()).toBe(10);
  await other.follow();
  expect(servedBy(other.workspace)).toEqual(servedBy(server.control.workspace));
});

it("a write that finds the log set back is decided anew on what it holds", async () => {
  const older = await copyOfNow();
  const kept = await revision();
  for (const share of [20, 30]) await roll(share);
  live.log = older;
  expect(await roll(60)).toMatchObject({ status: 200, body: { from: 10, percentage: 60 } });
  await expect.poll(revision).toBeGreaterThan(kept + 2);
  expect(await percentage()).toBe(60);
});

it("another log is not believed: what was served stays, writes are refused with why, and the right one is taken up again", async () => {
  await roll(20);
  const before = await revision();
  const right = live.log;
  const empty = await openChangeLog(join(dir.path, "empty.db"));
  opened.push(empty);
  for (const isUsed of [false, true]) {
    // Also once somebody began anew there.
    if (isUsed) await prepareFirstStart(await elsewhere(empty), { fillRandom: (bytes) => bytes });
    live.log = empty;
    await expect(server.control.follow()).rejects.toMatchObject({ code: "store_unavailable" });
    const { status, body } = await roll(30);
    expect([status, body.code, body.detail]).toEqual([
      503,
      "store_unavailable",
      expect.stringContaining("another one than this server knows"),
    ]);
    expect([await revision(), await percentage(), server.control.isLogKnown]).toEqual([before, 20, false]);
  }
  live.log = right;
  expect(await roll(40)).toMatchObject({ status: 200, body: { revision: before + 1 } });
  await server.control.follow();
  expect(server.control.isLogKnown).toBe(true);
});

it("a project that the log does not know is not raised", () => {
  const served = { project: "gone", revision: 4, environments: new Map([["production", 9]]) };
  expect(resumed(EMPTY_WORKSPACE, served)).toEqual({ kind: "unchanged", answer: undefined, revision: 0 });
});
