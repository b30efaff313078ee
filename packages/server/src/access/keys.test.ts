import { join } from "node:path";
import type { Json } from "@belay/protocol";
import { tempDir } from "@belay/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { P, type TestServer, testServer } from "../app.fixture.ts";
import { openUseStore, type Use } from "../store/uses/index.ts";
import { UseBook } from "./use-book.ts";

const HOUR_MS = 3_600_000;

let server: TestServer;
let ask: TestServer["ask"];
beforeEach(async () => {
  server = await testServer();
  ({ ask } = server);
});
afterEach(() => server.close());

const snapshot = async (as: string): Promise<number> => (await ask("GET", "/sdk/v1/snapshot", undefined, { as })).status;

describe("rotating an SDK key", () => {
  it("lets both secrets in until the overlap is over, and no older one", async () => {
    const first = (await ask("POST", `${P}/keys`, { environment: "production", kind: "server" })).body;
    const rotate = async (body: object) => (await ask("POST", `${P}/keys/${first.id}/rotate`, body)).body;
    const second = await rotate({ overlapHours: 2, reason: "yearly" });
    expect([second.id, second.secret === first.secret]).toEqual([first.id, false]);
    expect(second.previousUntil).toBe(new Date(server.clock.now + 2 * HOUR_MS).toISOString());
    expect([await snapshot(first.secret), await snapshot(second.secret)]).toEqual([200, 200]);
    const third = await rotate({ overlapHours: 2 });
    expect(await Promise.all([first, second, third].map(({ secret }) => snapshot(secret)))).toEqual([401, 200, 200]);
    server.clock.now += 2 * HOUR_MS - 1;
    expect(await snapshot(second.secret)).toBe(200);
    server.clock.now += 1;
    expect([await snapshot(second.secret), await snapshot(third.secret)]).toEqual([401, 200]);
    const fourth = await rotate({ overlapHours: 0 });
    expect([await snapshot(third.secret), await snapshot(fourth.secret), fourth.previousUntil]).toEqual([401, 200, undefined]);
    const [change] = (await ask("GET", `${P}/changes?action=key.rotate&limit=1`)).body.items;
    expect([change.target.key, JSON.stringify(change).includes("hash")]).toEqual([first.id, false]);
  });

  it("is refused for a key that was revoked or never was", async () => {
    const { id } = (await ask("POST", `${P}/keys`, { environment: "production", kind: "server" })).body;
    const { secret } = (await ask("POST", `${P}/keys/${id}/rotate`, {})).body;
    await ask("DELETE", `${P}/keys/${id}`);
    expect(await snapshot(secret)).toBe(401);
    expect((await ask("POST", `${P}/keys/${id}/rotate`, {})).body).toMatchObject({ status: 409, code: "wrong_status" });
    expect((await ask("POST", `${P}/keys/nobody/rotate`, {})).body).toMatchObject({ status: 404, code: "key_not_found" });
    expect((await ask("POST", `${P}/keys/${id}/rotate`, { overlapHours: 721 })).body.field).toBe("overlapHours");
  });
});

describe("rotating an access token", () => {
  const flags = async (as: string): Promise<number> => (await ask("GET", `${P}/flags`, undefined, { as })).status;

  it("lets both secrets in until the overlap is over, with the same role and id, audited without a secret", async () => {
    const first = (await ask("POST", "/api/v1/tokens", { name: "ci", role: "viewer", projects: ["default"] })).body;
    const rotate = async (body: object) => (await ask("POST", `/api/v1/tokens/${first.id}/rotate`, body)).body;
    const second = await rotate({ overlapHours: 2, reason: "yearly" });
    expect(second).toMatchObject({ id: first.id, role: "viewer", projects: ["default"] });
    expect(second.previousUntil).toBe(new Date(server.clock.now + 2 * HOUR_MS).toISOString());
    expect([await flags(first.secret), await flags(second.secret)]).toEqual([200, 200]);
    const third = await rotate({ overlapHours: 2 });
    expect(await Promise.all([first, second, third].map(({ secret }) => flags(secret)))).toEqual([401, 200, 200]);
    server.clock.now += 2 * HOUR_MS;
    expect([await flags(second.secret), await flags(third.secret)]).toEqual([401, 200]);
    const fourth = await rotate({ overlapHours: 0 });
    expect([await flags(third.secret), await flags(fourth.secret), fourth.previousUntil]).toEqual([401, 200, undefined]);
    const changes = await server.log.changes({ action: "token.rotate" }, 10);
    expect(changes.map(({ target, reason }) => [target.key, reason])).toEqual([
      [first.id, undefined],
      [first.id, undefined],
      [first.id, "yearly"],
    ]);
    const told = JSON.stringify(changes);
    expect([first, second, third, fourth].some(({ secret }) => told.includes(secret))).toBe(false);
    expect(told.includes("hash")).toBe(false);
  });

  it("is refused for one that was revoked, expired, never was, or has its secret from the environment", async () => {
    const rotate = (id: string) => ask("POST", `/api/v1/tokens/${id}/rotate`, {});
    const revoked = (await ask("POST", "/api/v1/tokens", { name: "t", role: "viewer" })).body;
    await ask("DELETE", `/api/v1/tokens/${revoked.id}`);
    expect((await rotate(revoked.id)).body).toMatchObject({ status: 409, code: "wrong_status", current: "revoked" });
    const expiresAt = new Date(server.clock.now + 1_000).toISOString();
    const expired = (await ask("POST", "/api/v1/tokens", { name: "t", role: "viewer", expiresAt })).body;
    server.clock.now += 1_000;
    expect((await rotate(expired.id)).body).toMatchObject({ status: 409, current: "expired" });
    expect((await rotate("first")).body).toMatchObject({ status: 409, current: "set by BELAY_ADMIN_TOKEN" });
    expect((await rotate("nobody")).body).toMatchObject({ status: 404, code: "token_not_found" });
  });
});

describe("last used", () => {
  const shown = async (path: string, id: string): Promise<string | undefined> =>
    (await ask("GET", path)).body.items.find((item: { id: string }) => item.id === id)?.lastUsedAt;

  it("is shown for keys and tokens, to the minute, and not for who was refused", async () => {
    const key = (await ask("POST", `${P}/keys`, { environment: "production", kind: "server" })).body;
    const token = (await ask("POST", "/api/v1/tokens", { name: "t", role: "viewer" })).body;
    expect([await shown(`${P}/keys`, key.id), await shown("/api/v1/tokens", token.id)]).toEqual([undefined, undefined]);
    const since = server.clock.now;
    const at = (ms: number): string => new Date(since + ms).toISOString();
    await snapshot(key.secret);
    await ask("GET", `${P}/flags`, undefined, { as: token.secret });
    server.clock.now = since + 59_999;
    await snapshot(key.secret);
    expect([await shown(`${P}/keys`, key.id), await shown("/api/v1/tokens", token.id)]).toEqual([at(0), at(0)]);
    server.clock.now = since + 60_000;
    await snapshot(key.secret);
    await snapshot(`${key.secret.slice(0, -1)}x`);
    expect([await shown(`${P}/keys`, key.id), await shown("/api/v1/tokens", token.id)]).toEqual([at(60_000), at(0)]);
  });

  it("survives a restart and is written once a minute and name", async () => {
    const dir = await tempDir("uses");
    const clock = { now: 1_000_000 };
    const file = join(dir.path, "uses.db");
    const store = await openUseStore(file);
    const written: (readonly Use[])[] = [];
    const book = await UseBook.open({
      now: () => clock.now,
      store: { ...store, put: (uses) => [store.put(uses), written.push(uses)] },
    });
    for (let second = 0; second < 180; second += 1) {
      for (let i = 0; i < 50; i += 1) book.note("sdk-key", "a");
      if (second % 60 === 59) book.write();
      clock.now += 1_000;
    }
    // The first holds when the book was begun, too.
    expect(written.map((uses) => uses.length)).toEqual([2, 1, 1]);
    book.write();
    expect(written.length).toBe(3);
    book.close();
    const again = await UseBook.open({ now: () => clock.now, store: await openUseStore(file) });
    expect(again.shown("sdk-key", "a")).toEqual({ lastUsedAt: new Date(1_120_000).toISOString() });
    expect(again.shown("token", "a")).toEqual({});
    again.close();
    await dir.remove();
  });

  it("is told to other servers once a minute, which keep it and tell nobody", () => {
    const said: [string, Json][] = [];
    const heard: ((message: Json) => void)[] = [];
    const store = { all: () => [], put: () => undefined, close: () => undefined };
    const bus = {
      publish: (topic: string, message: Json) => void said.push([topic, message]),
      subscribe: (_: string, listener: (message: Json) => void) => {
        heard.push(listener);
        return () => undefined;
      },
    };
    const [one, two] = [1_000, 2_000].map((now) => new UseBook({ now: () => now, store, bus })) as [UseBook, UseBook];
    one.note("token", "a");
    one.note("token", "a");
    one.write();
    expect(said).toEqual([["used", [["token", "a", 1_000]]]]);
    const [, tellTwo] = heard as [unknown, (message: Json) => void];
    for (const message of [said[0]?.[1] ?? null, null, "x", [["token"]], [["start", "", 5]], [["toString", "a", 5]]])
      tellTwo(message);
    expect(two.shown("token", "a")).toEqual({ lastUsedAt: new Date(1_000).toISOString() });
    two.write();
    expect(said.length).toBe(1);
    for (const book of [one, two]) book.close();
  });

  it("waits with what a store did not take", () => {
    const faults: unknown[] = [];
    const taken: number[] = [];
    const store = {
      all: () => [],
      put: (uses: readonly Use[]) => {
        if (faults.length === 0) throw new Error("disk full");
        taken.push(uses.length);
      },
      close: () => undefined,
    };
    const book = new UseBook({ now: () => 0, store, onFault: (error) => void faults.push(error) });
    book.note("token", "a");
    book.write();
    book.write();
    expect([faults.length, taken]).toEqual([1, [2]]);
    book.close();
  });
});

it("pages instances one by one, also one that runs in two environments", async () => {
  const receipt = { instance: "same", sdk: "test/1", revision: 1 };
  for (const as of Object.values(server.sdkKeys)) await ask("POST", "/sdk/v1/receipt", receipt, { as });
  const seen: string[] = [];
  let cursor = "";
  for (let pages = 0; pages < 5; pages += 1) {
    const { items, next } = (await ask("GET", `${P}/instances?limit=1${cursor}`)).body;
    seen.push(...items.map(({ environment }: { environment: string }) => environment));
    if (next === undefined) break;
    cursor = `&cursor=${next}`;
  }
  expect(seen).toEqual(["development", "production", "staging"]);
});
