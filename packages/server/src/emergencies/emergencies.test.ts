import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Change, Targeting } from "@belay/protocol";
import { seeded, type TempDir, tempDir } from "@belay/testkit";
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { E, P, type TestServer, testServer } from "../app.fixture.ts";
import { COMPILE_OPTIONS } from "../compile-options.ts";
import { ControlPlane } from "../control/control-plane.ts";
import { rolloutState } from "../flags/rollout.ts";
import { setEnabled, setRollout } from "../flags/targeting.ts";
import { placeOf } from "../flags/targeting-routes.ts";
import { Emergencies } from "./emergencies.ts";
import { emergencyDoors } from "./routes.ts";
import { severable } from "./severable.fixture.ts";

let dir: TempDir;
let line: { isCut: boolean; isFull?: boolean };
let server: TestServer;
let emergencies: Emergencies;
let sdkKey: string;
let journal: string;

const open = (control: ControlPlane, more: { now?: () => number; name?: string } = {}): Promise<Emergencies> =>
  Emergencies.open({
    control,
    file: join(dir.path, more.name ?? "emergencies.json"),
    now: more.now ?? Date.now,
    onFault: () => undefined,
    everyMs: 3_600_000,
  });

async function start(): Promise<void> {
  server = await testServer({
    dir,
    wrapLog: (log) => severable(log, line),
    doors: [
      (access, control) => async (app) => {
        emergencies = await open(control, { now: () => Date.parse("2026-11-23T03:12:00Z"), name: journal });
        await app.register(emergencyDoors(emergencies)(access, control));
      },
    ],
  });
}

async function stop(): Promise<void> {
  await emergencies.close();
  await server.close();
}

beforeEach(async () => {
  dir = await tempDir("emergencies");
  line = { isCut: false };
  journal = "emergencies.json";
  await start();
  sdkKey = server.sdkKeys["production"] as string;
  for (const key of ["a", "b"]) await server.ask("POST", `${P}/flags`, { key, type: "boolean" });
});
afterEach(async () => {
  await stop();
  await dir.remove();
});

const served = async (): Promise<{ revision: number; on: string[] }> => {
  const { body } = await server.ask("GET", "/sdk/v1/snapshot", undefined, { as: sdkKey });
  const flags = Object.entries(body.flags as Record<string, { enabled: boolean }>);
  return { revision: body.revision, on: flags.filter(([, { enabled }]) => enabled).map(([key]) => key) };
};
const emergency = (flag: string, reason = "it burns") => server.ask("POST", `${E}/flags/${flag}/emergency`, { reason });
const changesOf = async (flag: string): Promise<Change[]> => (await server.ask("GET", `${P}/changes?key=${flag}`)).body.items;

describe("an emergency", () => {
  it("with the log there is an ordinary change", async () => {
    const before = await served();
    expect(await emergency("a")).toMatchObject({ status: 200, body: { targeting: { enabled: false } } });
    expect(await served()).toEqual({ revision: before.revision + 1, on: ["b"] });
    expect((await changesOf("a"))[0]).toMatchObject({ action: "flag.disable", reason: "it burns" });
  });

  it("with the log away is served at once at a raised revision, and everything else is still refused", async () => {
    const before = await served();
    line.isCut = true;
    expect(await emergency("a")).toMatchObject({ status: 202, body: { flag: "a", targeting: { enabled: false } } });
    expect(await served()).toEqual({ revision: before.revision + 1, on: ["b"] });
    // Again it changes nothing.
    expect((await emergency("a")).status).toBe(202);
    expect(await served()).toEqual({ revision: before.revision + 1, on: ["b"] });
    expect((await server.ask("PUT", `${E}/flags/b/enabled`, { enabled: false })).body.code).toBe("store_unavailable");
    expect((await emergency("none")).body.code).toBe("flag_not_found");
    expect(await served()).toEqual({ revision: before.revision + 1, on: ["b"] });
  });

  it("is in the log once it is back: one audited change each, at the revision that was served", async () => {
    const before = await served();
    line.isCut = true;
    await emergency("a");
    await emergency("b", "so does this");
    expect(await served()).toEqual({ revision: before.revision + 2, on: [] });
    await emergencies.bring();
    expect(server.control.overrides).toHaveLength(2);
    line.isCut = false;
    await emergencies.bring();
    await emergencies.bring();
    expect(server.control.overrides).toHaveLength(0);
    expect(await served()).toEqual({ revision: before.revision + 2, on: [] });
    const [newest, older] = await changesOf("b");
    expect(newest).toMatchObject({
      action: "flag.emergency",
      revision: before.revision + 2,
      actor: { id: "first" },
      reason: "so does this (emergency override made at 2026-11-23T03:12:00.000Z while the log was away)",
    });
    expect(older?.action).toBe("flag.create");
    expect(await changesOf("a")).toMatchObject([{ action: "flag.emergency", revision: before.revision + 1 }, {}]);
    expect((await server.ask("PUT", `${E}/flags/a/enabled`, { enabled: true })).status).toBe(200);
    expect(await served()).toEqual({ revision: before.revision + 3, on: ["a"] });
  });

  it.each([
    ["cannot be written", false],
    ["is full", true],
  ])(
    "on a disk that %s switches off all the same, says that a restart forgets it, and writes it down once it can",
    async (_, isFull) => {
      const before = await served();
      await stop();
      // A journal in a folder that cannot be made, for a file stands there.
      journal = "blocked/emergencies.json";
      await writeFile(join(dir.path, "blocked"), "");
      line = { isCut: false, isFull };
      await start();
      line.isCut = true;
      const answer = await emergency("a");
      expect([answer.status, answer.headers["belay-kept"], answer.body.targeting.enabled]).toEqual([202, "no", false]);
      expect(await served()).toEqual({ revision: before.revision + 1, on: ["b"] });
      await rm(join(dir.path, "blocked"));
      await emergencies.bring();
      const again = await emergency("a");
      expect([again.status, again.headers["belay-kept"]]).toEqual([202, undefined]);
      await stop();
      await start();
      expect(await served()).toEqual({ revision: before.revision + 1, on: ["b"] });
      line.isCut = false;
      await emergencies.bring();
      expect(await changesOf("a")).toMatchObject([{ action: "flag.emergency", revision: before.revision + 1 }, {}]);
    },
  );

  it("does not pretend to lower a rollout whose variant all the others get as well", async () => {
    const serve = { split: [{ variant: "on", draws: [{ space: "share", in: [[0, 80_000]] }] }] };
    const everybody = { enabled: true, rules: [{ id: "rollout", serve }], fallthrough: { variant: "on" } };
    expect((await server.ask("PUT", `${E}/flags/a`, everybody)).status).toBe(200);
    for (const isCut of [false, true]) {
      line.isCut = isCut;
      const refused = await server.ask("POST", `${E}/flags/a/emergency`, { percentage: 0 });
      expect([isCut, refused.status, refused.body.code]).toEqual([isCut, 409, "rollout_idle"]);
    }
  });

  it("lowers a rollout too, at once and never up, and what it left is lowered on", async () => {
    await server.ask("PUT", `${E}/flags/a/rollout`, { percentage: 50 });
    await server.ask("PUT", `${E}/flags/b/rollout`, { percentage: 8 });
    const lower = (flag: string, percentage: number) => server.ask("POST", `${E}/flags/${flag}/emergency`, { percentage });
    expect(await lower("a", 20)).toMatchObject({ status: 200, body: { rollout: { percentage: 20 } } });
    expect((await changesOf("a"))[0]).toMatchObject({ action: "rollout.set" });
    const before = await served();
    line.isCut = true;
    expect(await lower("a", 5)).toMatchObject({
      status: 202,
      body: { rollout: { percentage: 5 }, targeting: { enabled: true } },
    });
    // The same again is done already; more, or where nothing is rolled out, is refused.
    expect((await lower("a", 5)).status).toBe(202);
    const raised = await lower("a", 5.1);
    expect(raised.body).toMatchObject({ code: "invalid_field", field: "percentage", received: "5.1" });
    await emergency("a");
    expect(await lower("a", 1)).toMatchObject({
      status: 202,
      body: { rollout: { percentage: 1 }, targeting: { enabled: false } },
    });
    expect(await served()).toEqual({ revision: before.revision + 3, on: ["b"] });
    line.isCut = false;
    await emergencies.bring();
    expect(server.control.overrides).toHaveLength(0);
    expect(await served()).toEqual({ revision: before.revision + 3, on: ["b"] });
    expect((await server.ask("GET", `${E}/flags/a`)).body).toMatchObject({
      rollout: { percentage: 1 },
      targeting: { enabled: false },
    });
    const emergenciesOf = (await changesOf("a")).filter(({ action }) => action === "flag.emergency");
    expect(emergenciesOf.map(({ revision }) => revision)).toEqual([3, 2, 1].map((more) => before.revision + more));
  });

  it("leaves lower what somebody lowered further at another server meanwhile", async () => {
    await server.ask("PUT", `${E}/flags/a/rollout`, { percentage: 50 });
    const cut = { isCut: false };
    const control = await ControlPlane.open({ log: severable(server.log, cut), now: Date.now, compile: COMPILE_OPTIONS });
    const other = await open(control, { name: "other.json" });
    cut.isCut = true;
    const place = { project: "default", environment: "production", flag: "a" };
    await other.lower(place, { actor: { id: "t", name: "T" }, requestId: "r" }, 200_000);
    const at = (): unknown => rolloutState(placeOf(control.workspace, place).environment.targetings.get("a")?.body as Targeting);
    expect(at()).toMatchObject({ percentage: 20 });
    await server.ask("PUT", `${E}/flags/a/rollout`, { percentage: 3 });
    cut.isCut = false;
    await other.bring();
    expect([control.overrides, at()]).toEqual([[], { percentage: 3, variant: "on" }]);
    await server.control.follow();
    await other.close();
    expect((await server.ask("GET", `${E}/flags/a/rollout`)).body.percentage).toBe(3);
  });

  it("survives a restart, and one whose journal was not brought up to date is not made twice", async () => {
    const before = await served();
    line.isCut = true;
    await emergency("a");
    const journal = await readFile(join(dir.path, "emergencies.json"));
    await stop();
    await start();
    expect(await served()).toEqual({ revision: before.revision + 1, on: ["b"] });
    line.isCut = false;
    await emergencies.bring();
    await stop();
    // As after a crash between the commit and the journal.
    await writeFile(join(dir.path, "emergencies.json"), journal);
    await start();
    await emergencies.bring();
    expect(await served()).toEqual({ revision: before.revision + 1, on: ["b"] });
    expect((await changesOf("a")).filter(({ action }) => action === "flag.emergency")).toHaveLength(1);
  });

  it("brings clients the whole snapshot, whatever they hold under that number", async () => {
    const head = { authorization: `Bearer ${sdkKey}` };
    const url = await server.app.listen({ host: "127.0.0.1", port: 0 });
    const leave = new AbortController();
    onTestFinished(() => leave.abort());
    const stream = await fetch(`${url}/sdk/v1/stream`, { headers: head, signal: leave.signal });
    let text = "";
    void (async () => {
      const decoder = new TextDecoder();
      for await (const bytes of stream.body ?? []) text += decoder.decode(bytes as Uint8Array);
    })().catch(() => undefined);
    const snapshots = (): number => text.match(/^event: snapshot/gm)?.length ?? 0;
    await expect.poll(snapshots).toBe(1);
    line.isCut = true;
    await emergency("a");
    await expect.poll(snapshots).toBe(2);
    expect(text.match(/^event: change/gm)).toBeNull();
    leave.abort();
  });
});

describe("servers that part and meet again", () => {
  it("serve no revision below one they served, and end alike with every emergency in force (60 histories)", async () => {
    for (let seed = 1; seed <= 60; seed++) await history(seed);
  });

  async function history(seed: number): Promise<void> {
    const dice = seeded(seed);
    const place = { project: "default", environment: "production" };
    const nodes = await Promise.all(
      [0, 1, 2].map(async (at) => {
        const cut = { isCut: false };
        const log = severable(server.log, cut);
        const control = await ControlPlane.open({ log, now: Date.now, compile: COMPILE_OPTIONS });
        return { cut, control, emergencies: await open(control, { name: `${seed}-${at}.json` }), highest: 0 };
      }),
    );
    const origin = { actor: { id: "t", name: "T" }, requestId: "r" };
    const revisionOf = ({ control }: (typeof nodes)[number]): number =>
      control.workspace.projects.get("default")?.environments.get("production")?.revision ?? 0;
    const acknowledged = new Set<string>();
    for (let step = 0; step < 30; step++) {
      const node = nodes[dice.below(3)] as (typeof nodes)[number];
      const flag = dice.below(2) === 0 ? "a" : "b";
      switch (dice.below(5)) {
        case 0:
          node.cut.isCut = !node.cut.isCut;
          break;
        case 1:
          await node.control
            .execute({
              origin,
              decide: (workspace) => setRollout(placeOf(workspace, { ...place, flag }), { percentage: dice.below(100) }),
            })
            .catch((error) => expect(error).toMatchObject({ code: "store_unavailable" }));
          break;
        case 2:
          await node.emergencies.lower({ ...place, flag }, origin);
          acknowledged.add(flag);
          break;
        case 3:
          await node.emergencies.bring();
          break;
        default:
          await node.control.follow().catch((error) => expect(error).toMatchObject({ code: "store_unavailable" }));
      }
      for (const one of nodes) {
        expect(revisionOf(one), `seed ${seed}, step ${step}`).toBeGreaterThanOrEqual(one.highest);
        one.highest = revisionOf(one);
      }
    }
    for (const one of nodes) one.cut.isCut = false;
    for (const one of nodes) await one.emergencies.bring();
    for (const one of nodes) await one.control.follow();
    const ends = nodes.map(({ control }) => control.workspace.projects.get("default")?.environments.get("production"));
    expect(new Set(ends.map((end) => end?.revision)).size, `seed ${seed}`).toBe(1);
    expect(ends[0]?.revision).toBeGreaterThanOrEqual(Math.max(...nodes.map(({ highest }) => highest)));
    for (const end of ends) {
      expect(end?.snapshot.whole).toEqual(ends[0]?.snapshot.whole);
      for (const flag of acknowledged) expect(end?.targetings.get(flag)?.body.enabled, `seed ${seed}`).toBe(false);
    }
    for (const one of nodes) {
      expect(one.control.overrides).toEqual([]);
      await one.emergencies.close();
    }
    // As the next history finds them.
    for (const flag of ["a", "b"]) {
      await nodes[0]?.control.execute({
        origin,
        decide: (workspace) => setEnabled(placeOf(workspace, { ...place, flag }), true),
      });
    }
  }
});
