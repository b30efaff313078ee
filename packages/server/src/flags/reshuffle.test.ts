import { compile } from "@belay/core";
import type { Snapshot } from "@belay/protocol";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Answer, E, P, type TestServer, testServer } from "../app.fixture.ts";
import { reshuffled } from "./salts.ts";

const IDS = 100_000;
/** Standard deviations that a count may be off. */
const Z = 5;

let server: TestServer;
let ask: TestServer["ask"];
let key: string;
let count = 0;
beforeAll(async () => {
  server = await testServer();
  ({ ask } = server);
});
afterAll(() => server.close());
beforeEach(async () => {
  count += 1;
  key = `flag-${count}`;
  await ask("POST", `${P}/flags`, { key, type: "string", variants: { a: "1", b: "2", c: "3" } });
});

const reshuffle = (body: object = {}): Promise<Answer> => ask("POST", `${P}/flags/${key}/reshuffle`, body);
const preview = (body: object): Promise<Answer> => ask("POST", `${E}/flags/${key}/preview`, body);
const put = (targeting: object): Promise<Answer> => ask("PUT", `${E}/flags/${key}`, { enabled: true, rules: [], ...targeting });
const snapshot = async (): Promise<Snapshot> =>
  (await ask("GET", "/sdk/v1/snapshot", undefined, { as: server.sdkKeys["production"] as string })).body;

/** What core gives each of the ids. */
function valuesBy(held: Snapshot): unknown[] {
  const ruleset = compile(held);
  return Array.from({ length: IDS }, (_, id) => ruleset.decide(key, { targetingKey: `user-${id}` }).value);
}

/** The percentage of ids whose value changed. */
function moved(before: readonly unknown[], after: readonly unknown[]): number {
  return (100 * before.filter((value, id) => value !== after[id]).length) / before.length;
}

const within = (percent: number): number => 100 * Z * Math.sqrt(((percent / 100) * (1 - percent / 100)) / IDS);

describe("a reshuffle", () => {
  it.each([
    ["who takes part and who gets what", undefined, ["share", "split"]],
    ["who takes part", ["share"], ["share"]],
    ["who gets what", ["split"], ["split"]],
  ] as const)("draws anew %s, as many as its preview says", async (_, spaces, salts) => {
    const part = (variant: string, range: readonly number[]): object => ({
      variant,
      draws: [
        { space: "share", in: [[0, 600_000]] },
        { space: "split", in: [range] },
      ],
    });
    const split = [part("b", [0, 500_000]), part("c", [500_000, 1_000_000])];
    await put({ rules: [{ id: "r", serve: { split } }] });
    const before = await snapshot();
    const body = spaces === undefined ? {} : { spaces };
    const { changed, basis } = (await preview({ reshuffle: body })).body;
    expect((await snapshot()).revision).toBe(before.revision);
    const { status } = await reshuffle(body);
    const after = await snapshot();
    expect([status, basis, after.revision]).toEqual([200, "exact", before.revision + 1]);
    const flags = [before, after].map(({ flags }) => flags[key]);
    expect(["share", "split"].filter((id) => flags[0]?.spaces?.[id]?.salt !== flags[1]?.spaces?.[id]?.salt)).toEqual(salts);
    expect(flags[1]?.rules).toEqual(flags[0]?.rules);
    expect(changed.min).toBe(changed.max);
    expect(Math.abs(moved(valuesBy(before), valuesBy(after)) - changed.min)).toBeLessThan(within(changed.min));
  });

  it("is what was looked at: the same preview, made once more, and the act, mean one draw", async () => {
    const space = { salt: "abcdefgh", by: "account" };
    expect(reshuffled(space)).toEqual({ salt: expect.stringMatching(/^[a-z2-7]{8}$/), by: "account" });
    expect(reshuffled(space)).toEqual(reshuffled(space));
    const seen = new Set<string>();
    for (let one = space; !seen.has(one.salt) && seen.size < 10_000; one = { ...one, ...reshuffled(one) }) seen.add(one.salt);
    expect(seen.size).toBe(10_000);
  });

  it("moves no unit of a running experiment between arms unless it opens a new epoch, in each environment", async () => {
    const targeting = { enabled: true, rules: [], fallthrough: { weights: { a: 50, b: 50 }, tracks: { experiment: "x" } } };
    const { revision } = (await put(targeting)).body;
    const elsewhere = `${P}/environments/staging`;
    const there = (await ask("PUT", `${elsewhere}/flags/${key}`, targeting)).body.revision;
    const epochs = async (environment = E): Promise<unknown[]> =>
      (await ask("GET", `${environment}/flags/${key}`)).body.targeting.fallthrough.split.map(
        (part: { tracks: { epoch: number } }) => part.tracks.epoch,
      );
    const refused = await reshuffle();
    expect(refused.body).toMatchObject({ status: 409, code: "experiment_moves", field: "newEpoch", experiment: "x", share: 50 });
    expect(await epochs()).toEqual([revision, revision]);
    expect((await preview({ reshuffle: {} })).body.experiments).toEqual([{ experiment: "x", moved: { min: 50, max: 50 } }]);
    // Nobody's arm depends on who takes part.
    expect((await reshuffle({ spaces: ["share"] })).status).toBe(200);
    expect([await epochs(), await epochs(elsewhere)]).toEqual([
      [revision, revision],
      [there, there],
    ]);
    expect((await reshuffle({ newEpoch: true })).status).toBe(200);
    const now = (await snapshot()).revision;
    const nowThere = (await ask("GET", elsewhere)).body.revision;
    expect([now, nowThere]).not.toEqual([revision, there]);
    expect([await epochs(), await epochs(elsewhere)]).toEqual([
      [now, now],
      [nowThere, nowThere],
    ]);
  });

  it("needs approval where raising exposure does, and can be asked for", async () => {
    await ask("PUT", `${E}/flags/${key}/rollout`, { percentage: 10, variant: "b" });
    await ask("PUT", `${E}/approvals`, { required: 1 });
    const { salt } = (await snapshot()).flags[key]?.spaces?.["share"] ?? {};
    expect((await reshuffle()).body).toMatchObject({ status: 409, code: "approval_required", environment: "production" });
    const draft = { operation: "reshuffle", key, body: { spaces: ["share"] } };
    const { id, hash } = (await ask("POST", `${E}/requests`, draft)).body;
    const { secret } = (await ask("POST", "/api/v1/tokens", { name: "second", role: "editor" })).body;
    expect((await ask("POST", `${E}/requests/${id}/approve`, { hash }, { as: secret })).status).toBe(200);
    expect((await snapshot()).flags[key]?.spaces?.["share"]?.salt).toBe(reshuffled({ salt: String(salt) }).salt);
    await ask("PUT", `${E}/approvals`, { required: 0 });
  });

  it("is refused for a flag that is archived or not there, and for other names", async () => {
    expect((await reshuffle({ spaces: ["layer/x"] })).body).toMatchObject({
      ...{ status: 422, code: "invalid_field", field: "spaces[0]", allowed: ["share", "split"] },
      reason: "it is none of the values in `allowed`",
    });
    for (const spaces of [[], ["share", "share"]]) expect((await reshuffle({ spaces })).status).toBe(422);
    await ask("POST", `${P}/flags/${key}/archive`, {});
    expect((await reshuffle()).body).toMatchObject({ status: 409, code: "archived" });
    key = "nobody";
    expect((await reshuffle()).body).toMatchObject({ status: 404, code: "flag_not_found" });
  });
});

describe("a preview where edits need approval", () => {
  it("is seen without any: one looks before one asks", async () => {
    await ask("PUT", `${E}/approvals`, { required: 1 });
    for (const edit of [{ rollout: { percentage: 10, variant: "b" } }, { reshuffle: {} }])
      expect((await preview(edit)).status).toBe(200);
    expect((await ask("PUT", `${E}/flags/${key}/rollout`, { percentage: 10, variant: "b" })).body.code).toBe("approval_required");
    await ask("PUT", `${E}/approvals`, { required: 0 });
  });
});

describe("a preview of what environments share", () => {
  it("says whose value another value under a variant changes, and changes nothing", async () => {
    await put({ fallthrough: { weights: { a: 20, b: 30, c: 50 } } });
    const { body } = await preview({ flag: { variants: { a: "1", b: "other", c: "3" } } });
    expect(body).toMatchObject({ basis: "exact", changed: { min: 30, max: 30 } });
    expect((await ask("GET", `${P}/flags/${key}`)).body.variants.b).toBe("2");
    expect((await preview({ flag: { description: "said anew" } })).body.changed).toEqual({ min: 0, max: 0 });
    expect((await preview({ flag: { variants: { a: "1", b: "2" } } })).status).toBe(422);
  });
});
