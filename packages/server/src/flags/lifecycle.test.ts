import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { UseBook } from "../access/use-book.ts";
import { E, P, type TestServer, testServer } from "../app.fixture.ts";
import { FlagUses } from "./flag-uses.ts";
import { fullVariant } from "./lifecycle.ts";
import { StaleKeeper } from "./stale-keeper.ts";

const DAY_MS = 86_400_000;

let server: TestServer;
let ask: TestServer["ask"];
let uses: FlagUses;
let keeper: StaleKeeper;
beforeEach(async () => {
  server = await testServer();
  ({ ask } = server);
  const { control, log, clock } = server;
  uses = new FlagUses(() => control.workspace, new UseBook({ now: () => clock.now }));
  keeper = new StaleKeeper({
    control,
    log,
    uses,
    now: () => clock.now,
    holder: "test",
    onFault: (error) => {
      throw error;
    },
    everyMs: 2 ** 30,
  });
});
afterEach(async () => {
  await keeper.close();
  await server.close();
});

const seen = (flag: string, variant?: string): void =>
  uses.take({ project: "default", counts: [{ flag, count: 3, ...(variant === undefined ? {} : { variant }) }] });
const later = async (days: number, ...flags: string[]): Promise<void> => {
  server.clock.now += days * DAY_MS;
  for (const flag of flags) seen(flag, "on");
  await keeper.look();
};
const stale = async (query: string): Promise<string[]> =>
  (await ask("GET", `${P}/flags?${query}`)).body.items.map(
    ({ key, stale: reasons = [] }: { key: string; stale?: { code: string; environment?: string }[] }) =>
      `${key}: ${reasons.map(({ code, environment }) => (environment === undefined ? code : `${code} in ${environment}`))}`,
  );
const told = async (action = "flag.stale"): Promise<number> =>
  (await ask("GET", `${P}/changes?action=${action}&limit=100`)).body.items.length;

describe("a flag is stale", () => {
  it("at 100 % for as long as the project says, and no longer once it moves; told once", async () => {
    for (const key of ["done", "half", "forever"]) await ask("POST", `${P}/flags`, { key });
    await ask("PATCH", `${P}/flags/forever`, { kind: "operational" });
    for (const key of ["done", "forever"]) await ask("PUT", `${E}/flags/${key}/rollout`, { percentage: 100 });
    await ask("PUT", `${E}/flags/half/rollout`, { percentage: 99.9 });
    await ask("PUT", `${P}/stale-rule`, { fullDays: 10 });
    expect((await ask("GET", `${P}/stale-rule`)).body).toEqual({ fullDays: 10, unseenDays: 30 });
    await later(9, "done", "half", "forever");
    expect(await stale("stale=any")).toEqual([]);
    await later(1, "done", "half", "forever");
    await later(1, "done", "half", "forever");
    expect([await stale("stale=any"), await told()]).toEqual([["done: full in production"], 1]);
    expect((await ask("GET", `${P}/flags/done`)).body.stale).toEqual([
      { code: "full", environment: "production", since: "2026-11-22T12:00:00.000Z" },
    ]);
    await ask("PUT", `${E}/flags/done/rollout`, { percentage: 50 });
    await later(1, "done", "half", "forever");
    expect([await stale("stale=full"), await told(), await told("flag.fresh")]).toEqual([[], 1, 1]);
  });

  it("once no SDK decided it for so many days, counted from its last day", async () => {
    for (const key of ["used", "idle", "never"]) await ask("POST", `${P}/flags`, { key });
    await ask("PUT", `${P}/stale-rule`, { unseenDays: 5 });
    seen("idle", "on");
    await later(4, "used");
    expect(await stale("stale=any")).toEqual([]);
    await later(1, "used");
    expect(await stale("stale=unseen")).toEqual(["never: unseen"]);
    await later(1, "used");
    expect([await stale("stale=unseen"), await told()]).toEqual([["idle: unseen", "never: unseen"], 2]);
    await later(1, "used", "idle");
    expect(await stale("stale=unseen")).toEqual(["never: unseen"]);
  });

  it("past its expected lifetime, and archived while applications still ask for it", async () => {
    await ask("POST", `${P}/flags`, { key: "short", expectedLifetimeDays: 3 });
    for (const key of ["gone", "quiet"]) await ask("POST", `${P}/flags`, { key });
    for (const key of ["gone", "quiet"]) await ask("POST", `${P}/flags/${key}/archive`, {});
    await later(2, "short");
    expect(await stale("stale=overdue")).toEqual([]);
    // A count from before the archiving, which arrives late, has a variant.
    seen("quiet", "on");
    seen("gone");
    await later(1, "short");
    expect(await stale("stale=overdue")).toEqual(["short: overdue"]);
    expect(await stale("stale=asked-for&archived=true")).toEqual(["gone: asked-for"]);
    await later(31, "short");
    expect(await stale("stale=asked-for&archived=true")).toEqual([]);
  });
});

it("keeps a bounded number of names that are no flags", () => {
  for (let i = 0; i < 3_000; i += 1) seen(`made-up-${i}`);
  const kept = Array.from({ length: 3_000 }, (_, i) => uses.askedAt("default", `made-up-${i}`)).filter((at) => at !== undefined);
  expect(kept.length).toBe(1_000);
});

it("filters flags by owner, tag, kind, text and whether browsers see them, in pages", async () => {
  await ask("POST", `${P}/flags`, { key: "a", owner: "team", tags: ["x"], clientSide: true });
  await ask("POST", `${P}/flags`, { key: "b", owner: "team", kind: "operational" });
  await ask("POST", `${P}/flags`, { key: "c", description: "the cart" });
  const keys = async (query: string): Promise<string[]> => (await stale(query)).map((line) => line.split(":")[0] ?? "");
  expect(await keys("owner=team")).toEqual(["a", "b"]);
  expect(await keys("owner=team&clientSide=false")).toEqual(["b"]);
  expect(await keys("clientSide=true&tag=x")).toEqual(["a"]);
  expect(await keys("kind=operational")).toEqual(["b"]);
  expect(await keys("q=CART")).toEqual(["c"]);
  const { items, next } = (await ask("GET", `${P}/flags?owner=team&limit=1`)).body;
  expect([items.length, await keys(`owner=team&limit=1&cursor=${next}`)]).toEqual([1, ["b"]]);
  expect((await ask("GET", `${P}/flags?stale=old`)).body).toMatchObject({ status: 422, field: "stale" });
});

it.each([
  ["one variant for all", { enabled: true, off: "off", rules: [], fallthrough: { variant: "on" } }, "on"],
  ["what it serves when off", { enabled: true, off: "off", rules: [], fallthrough: { variant: "off" } }, undefined],
  ["disabled", { enabled: false, off: "off", rules: [], fallthrough: { variant: "on" } }, undefined],
  [
    "a prerequisite",
    { enabled: true, rules: [], prerequisites: [{ flag: "a", variants: ["on"] }], fallthrough: { variant: "on" } },
    undefined,
  ],
  ["a first rule for all", { enabled: true, rules: [{ id: "r", serve: { variant: "on" } }] }, "on"],
  [
    "a rule for some",
    { enabled: true, rules: [{ id: "r", when: { all: [] }, serve: { variant: "on" } }], fallthrough: { variant: "on" } },
    undefined,
  ],
])("everybody's variant: %s", (_, targeting, expected) => {
  expect(fullVariant(targeting)).toBe(expected);
});
