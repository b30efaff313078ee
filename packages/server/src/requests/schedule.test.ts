import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { E, P } from "../app.fixture.ts";
import { COMPILE_OPTIONS } from "../compile-options.ts";
import { ControlPlane } from "../control/control-plane.ts";
import { History } from "../history/history.ts";
import { enterFreeze } from "../releases/freeze.ts";
import type { ChangeLog } from "../store/changes/index.ts";
import { Clerk } from "./clerk.ts";
import { approvals, flagIn, type RequestServer, requestServer } from "./requests.fixture.ts";

let server: RequestServer;
let ask: RequestServer["ask"];
beforeEach(async () => {
  server = await requestServer();
  ({ ask } = server);
  await flagIn(server, "a");
});
afterEach(() => server.close());

const BERLIN = "Europe/Berlin";
const at = (wall: string, percentage: number, zone = BERLIN) => ({
  operation: "rollout",
  key: "a",
  body: { percentage },
  schedule: { at: wall, zone },
});
const schedule = async (draft: object): Promise<string> => (await server.request(draft)).body.id;
const stateOf = async (id: string): Promise<string> => (await server.read(id)).state;
const rollouts = async (): Promise<number> => (await ask("GET", `${P}/changes?action=rollout.set&limit=500`)).body.items.length;

describe("fault 57: a scheduled request", () => {
  it.each([
    ["in winter", "2026-12-24T09:00", BERLIN, "2026-12-24T08:00:00Z"],
    ["in summer", "2027-07-01T09:00", BERLIN, "2027-07-01T07:00:00Z"],
    ["at a time that clocks skip", "2027-03-28T02:30", BERLIN, "2027-03-28T01:00:00Z"],
    ["at a time that clocks show twice", "2027-10-31T02:30", BERLIN, "2027-10-31T00:30:00Z"],
    ["on a leap day", "2028-02-29T12:00", "America/New_York", "2028-02-29T17:00:00Z"],
  ])("is made once %s, at the wall time of its zone", async (_, wall, zone, due) => {
    const id = await schedule(at(wall, 30, zone));
    expect((await server.read(id)).schedule).toEqual({ at: wall, zone, due: new Date(due).toISOString() });
    await server.at(new Date(Date.parse(due) - 1).toISOString());
    expect([await stateOf(id), await server.percentage("a")]).toEqual(["scheduled", 0]);
    await server.at(due);
    expect([await stateOf(id), await server.percentage("a"), await rollouts()]).toEqual(["applied", 30, 1]);
    // Clocks that go back show the same wall time again.
    await ask("PUT", `${E}/flags/a/rollout`, { percentage: 5 });
    await server.at(new Date(Date.parse(due) + 3_600_000).toISOString());
    await server.at(new Date(Date.parse(due) + 25 * 3_600_000).toISOString());
    expect([await server.percentage("a"), await rollouts()]).toEqual([5, 2]);
  });

  it("refuses a time that is over, and what is no time or no zone", async () => {
    const refused = async (wall: string, zone: string) => (await server.request(at(wall, 1, zone))).body;
    expect(await refused("2026-11-22T13:00", BERLIN)).toMatchObject({ status: 422, field: "schedule.at", reason: "it is over" });
    expect(await refused("2026-11-22T13:01", BERLIN)).toMatchObject({ state: "scheduled" });
    expect(await refused("2027-02-29T09:00", BERLIN)).toMatchObject({ status: 422, field: "schedule.at" });
    expect(await refused("2027-02-28T09:00", "Mars/Olympus")).toMatchObject({ status: 422, field: "schedule.zone" });
  });
});

describe("fault 56: requests that came due while the server was down", () => {
  it("are caught up in one move, by time and not by the order they were made in", async () => {
    const third = await schedule(at("2026-12-01T12:00", 50));
    const first = await schedule(at("2026-12-01T10:00", 10));
    const second = await schedule(at("2026-12-01T11:00", 25));
    const later = await schedule(at("2026-12-01T18:00", 100));
    await server.at("2026-12-01T15:00:00Z");
    expect(await Promise.all([first, second, third, later].map(stateOf))).toEqual([
      "superseded",
      "superseded",
      "applied",
      "scheduled",
    ]);
    expect([await server.percentage("a"), await rollouts()]).toEqual([50, 1]);
  });

  it("stand for those before them only where they may be made: a lowering is not lost behind a refused raise", async () => {
    await ask("PUT", `${E}/flags/a/rollout`, { percentage: 40 });
    const lower = await schedule(at("2026-12-01T10:00", 5));
    const raise = await schedule(at("2026-12-01T11:00", 90));
    await approvals(server, 1);
    await server.at("2026-12-01T15:00:00Z");
    expect([await stateOf(lower), await stateOf(raise), await server.percentage("a")]).toEqual(["applied", "failed", 5]);
  });

  it("of different things are all made, oldest first", async () => {
    await flagIn(server, "b");
    await ask("PUT", `${E}/flags/b/enabled`, { enabled: false });
    await schedule({ ...at("2026-12-01T11:00", 0), operation: "enabled", key: "b", body: { enabled: true } });
    await schedule(at("2026-12-01T10:00", 10));
    await server.at("2026-12-01T15:00:00Z");
    const actions = (await ask("GET", `${P}/changes?limit=2`)).body.items.map(({ action }: { action: string }) => action);
    expect(actions).toEqual(["flag.enable", "rollout.set"]);
  });
});

describe("a scheduled request that may not be made", () => {
  it("fails once with the reason, and is never tried again", async () => {
    await flagIn(server, "b");
    const gone = await schedule({ ...at("2026-12-01T10:00", 10), key: "b" });
    await ask("POST", `${P}/flags/b/archive`, {});
    await server.at("2026-12-01T15:00:00Z");
    const failed = await server.read(gone);
    expect([failed.state, failed.end.code, failed.end.reason]).toEqual(["failed", "archived", expect.stringContaining("`b`")]);
    await ask("POST", `${P}/flags/b/restore`, {});
    await server.at("2026-12-02T15:00:00Z");
    expect([await stateOf(gone), await server.percentage("b")]).toEqual(["failed", 0]);
    const told = (await ask("GET", `${P}/changes?action=request.fail`)).body.items;
    expect(told.length).toBe(1);
  });

  it("fault 62: fails with 423 while the project is frozen; one that lowers is made", async () => {
    await ask("PUT", `${E}/flags/a/rollout`, { percentage: 40 });
    await flagIn(server, "b");
    const raise = await schedule({ ...at("2026-12-01T10:00", 10), key: "b" });
    const lower = await schedule(at("2026-12-01T10:00", 5));
    await freeze(server);
    await server.at("2026-12-01T15:00:00Z");
    expect([await stateOf(raise), (await server.read(raise)).end.code]).toEqual(["failed", "frozen"]);
    expect([await stateOf(lower), await server.percentage("a"), await server.percentage("b")]).toEqual(["applied", 5, 0]);
  });

  it("fails where its author may no longer ask for it", async () => {
    const id = (await server.request(at("2026-12-01T10:00", 10), { as: server.people.ops })).body.id;
    const { author } = await server.read(id);
    await ask("DELETE", `/api/v1/tokens/${author.id}`);
    await server.at("2026-12-01T15:00:00Z");
    expect([await stateOf(id), (await server.read(id)).end.code, await server.percentage("a")]).toEqual([
      "failed",
      "forbidden",
      0,
    ]);
  });

  it("is not made once it was withdrawn", async () => {
    const id = await schedule(at("2026-12-01T10:00", 10));
    await ask("POST", `${E}/requests/${id}/withdraw`, {}, { as: server.people.ada });
    await server.at("2026-12-01T15:00:00Z");
    expect([await stateOf(id), await server.percentage("a")]).toEqual(["withdrawn", 0]);
  });
});

describe("where approvals are asked for, a scheduled request", () => {
  beforeEach(() => approvals(server, 1));

  it("waits for its approval first and is made at its time with it", async () => {
    const id = await schedule(at("2026-12-01T10:00", 10));
    expect(await stateOf(id)).toBe("open");
    const approved = await server.approve(id, server.people.ben);
    expect([approved.body.state, await server.percentage("a")]).toEqual(["scheduled", 0]);
    await server.at("2026-12-01T15:00:00Z");
    expect([await stateOf(id), await server.percentage("a")]).toEqual(["applied", 10]);
    const [change] = (await ask("GET", `${P}/changes?action=rollout.set`)).body.items;
    expect([change.actor.name, change.approvals[0].name]).toEqual(["ada", "ben"]);
  });

  it("fails when its time comes before its approval", async () => {
    const id = await schedule(at("2026-12-01T10:00", 10));
    await server.at("2026-12-01T15:00:00Z");
    expect([await stateOf(id), (await server.read(id)).end.code]).toEqual(["failed", "approval_required"]);
    expect((await server.approve(id, server.people.ben)).body.code).toBe("request_state");
  });

  it("is void once what it would do moved on", async () => {
    const id = await schedule(at("2026-12-01T10:00", 10));
    await server.approve(id, server.people.ben);
    await ask("PUT", `${E}/flags/a/enabled`, { enabled: false });
    await server.clerk.turn();
    await server.at("2026-12-01T15:00:00Z");
    expect([await stateOf(id), await server.percentage("a")]).toEqual(["void", 0]);
  });

  it("needs none where it only lowers", async () => {
    await approvals(server, 0);
    await ask("PUT", `${E}/flags/a/rollout`, { percentage: 50 });
    await approvals(server, 1);
    const id = await schedule(at("2026-12-01T10:00", 10));
    expect(await stateOf(id)).toBe("scheduled");
    await server.at("2026-12-01T15:00:00Z");
    expect(await server.percentage("a")).toBe(10);
  });
});

describe("a scheduled request is made once", () => {
  const DUE = Date.parse("2026-12-01T09:00:00Z");
  /** Another node on the same log; it holds every lease it asks for when `leases` says so. */
  const node = async (log: ChangeLog, holder: string): Promise<{ control: ControlPlane; clerk: Clerk; faults: unknown[] }> => {
    const faults: unknown[] = [];
    const now = (): number => DUE;
    const control = await ControlPlane.open({ log, now, compile: COMPILE_OPTIONS });
    const clerk = new Clerk({
      control,
      log,
      history: new History(log),
      compile: COMPILE_OPTIONS,
      now,
      holder,
      onFault: (error) => void faults.push(error),
      everyMs: 2 ** 30,
    });
    return { control, clerk, faults };
  };
  const leaseless = (log: ChangeLog): ChangeLog =>
    new Proxy(log, {
      get: (target, name) => {
        if (name === "takeLease") return async () => 1;
        const member = Reflect.get(target, name) as unknown;
        return typeof member === "function" ? member.bind(target) : member;
      },
    });
  const percentage = ({ control }: { control: ControlPlane }): unknown =>
    control.workspace.projects.get("default")?.environments.get("production")?.targetings.get("a")?.body.rules.length;

  it("by one of two nodes, even if both believe that it is theirs to make", async () => {
    await schedule(at("2026-12-01T10:00", 10));
    const nodes = await Promise.all(["one", "two"].map((holder) => node(leaseless(server.log), holder)));
    await Promise.all(nodes.map(({ clerk }) => clerk.turn()));
    await Promise.all(nodes.map(({ control }) => control.follow()));
    expect([await rollouts(), nodes.map(percentage), nodes.flatMap(({ faults }) => faults)]).toEqual([1, [1, 1], []]);
    await Promise.all(nodes.map(({ clerk }) => clerk.close()));
  });

  it.each([
    ["just before its commit", 0],
    ["just after its commit", 1],
  ])("by the next server where one was killed %s", async (_, commits) => {
    const id = await schedule(at("2026-12-01T10:00", 10));
    const dying = new Proxy(leaseless(server.log), {
      get: (target, name) => {
        const member = Reflect.get(target, name) as unknown;
        if (name !== "commit") return typeof member === "function" ? member.bind(target) : member;
        return async (commit: Parameters<ChangeLog["commit"]>[0]) => {
          if (commits === 1) await target.commit(commit);
          throw new Error("killed");
        };
      },
    });
    const killed = await node(dying, "killed");
    await killed.clerk.turn();
    expect([await rollouts(), killed.faults.length]).toEqual([commits, 1]);
    const next = await node(leaseless(server.log), "next");
    await next.clerk.turn();
    expect([await rollouts(), percentage(next), next.faults]).toEqual([1, 1, []]);
    await server.control.follow();
    expect(await stateOf(id)).toBe("applied");
    await Promise.all([killed, next].map(({ clerk }) => clerk.close()));
  });
});

/** As the freeze command does, by the command itself. */
async function freeze({ control }: RequestServer): Promise<void> {
  await control.execute({
    origin: { actor: { id: "system", name: "Belay" }, requestId: "test" },
    decide: ({ projects }) => {
      const project = projects.get("default");
      if (project === undefined) throw new Error("no project");
      return enterFreeze(project, "incident", { id: "ops", name: "ops" }, "2026-11-30T00:00:00.000Z");
    },
  });
}
