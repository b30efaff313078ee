import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { E, P, type TestServer, testServer } from "../app.fixture.ts";

let server: TestServer;
let ask: TestServer["ask"];
beforeAll(async () => {
  server = await testServer();
  ask = server.ask;
});
afterAll(() => server.close());

describe("a new flag", () => {
  it("is enabled and off for everybody in every environment", async () => {
    const made = await ask("POST", `${P}/flags`, { key: "new", description: "d", tags: ["t"] });
    expect(made.status).toBe(201);
    expect(made.body).toMatchObject({
      key: "new",
      type: "boolean",
      variants: { on: true, off: false },
      archived: false,
      tags: ["t"],
    });
    expect(made.body.spaces.share.salt).toMatch(/^[a-z2-7]{8}$/);
    expect(made.body.spaces.split.salt).not.toBe(made.body.spaces.share.salt);
    expect(made.headers.etag).toBe(`"${made.body.revision}"`);
    for (const environment of ["development", "staging", "production"]) {
      const { body } = await ask("GET", `${P}/environments/${environment}/flags/new`);
      expect(body.targeting).toEqual({ enabled: true, off: "off", rules: [], fallthrough: { variant: "off" } });
      expect(body.revision).toBe(2);
    }
  });

  it("takes its first variant as off when it is not boolean, and needs variants", async () => {
    await ask("POST", `${P}/flags`, { key: "text", type: "string", variants: { compact: "c", wide: "w" } });
    expect((await ask("GET", `${E}/flags/text`)).body.targeting.fallthrough).toEqual({ variant: "compact" });
    const refused = await ask("POST", `${P}/flags`, { key: "text2", type: "string" });
    expect([refused.status, refused.body.code, refused.body.field]).toEqual([422, "invalid_field", "variants"]);
  });

  it("refuses a key that is taken, also by an archived flag", async () => {
    await ask("POST", `${P}/flags`, { key: "gone" });
    await ask("POST", `${P}/flags/gone/archive`, {});
    expect((await ask("POST", `${P}/flags`, { key: "gone" })).body.code).toBe("already_exists");
  });

  it.each(["__proto__", "constructor", "toString", "hasOwnProperty", "a".repeat(128)])("may be called %s", async (key) => {
    const variants = JSON.parse('{"__proto__": true, "constructor": false}');
    expect(
      (await ask("POST", `${P}/flags`, JSON.stringify({ key, variants: { on: true, off: false, ...variants } }))).status,
    ).toBe(201);
    expect((await ask("GET", `${P}/flags/${key}`)).body.key).toBe(key);
    expect((await ask("PUT", `${E}/flags/${key}/rollout`, { percentage: 10 })).body.percentage).toBe(10);
    const { body } = await ask("GET", "/sdk/v1/snapshot", undefined, { as: server.sdkKeys["production"] as string });
    expect(Object.hasOwn(body.flags, key)).toBe(true);
    expect(Object.keys(Object.prototype)).toEqual([]);
  });
});

describe("an edit", () => {
  it("keeps salts, whatever is edited, archived or restored", async () => {
    const { spaces } = (await ask("POST", `${P}/flags`, { key: "salted" })).body;
    await ask("PATCH", `${P}/flags/salted`, { description: "x", tags: ["a"], owner: "me", clientSide: true });
    await ask("PATCH", `${P}/flags/salted`, { variants: { on: true, off: false, third: true } });
    await ask("PUT", `${E}/flags/salted/rollout`, { percentage: 50 });
    await ask("POST", `${P}/flags/salted/archive`, { reason: "r" });
    await ask("POST", `${P}/flags/salted/restore`, {});
    const { body } = await ask("GET", `${P}/flags/salted`);
    expect(body.spaces).toEqual(spaces);
    expect((await ask("GET", `${E}/flags/salted`)).body.rollout).toEqual({ percentage: 50, variant: "on" });
    expect((await ask("PATCH", `${P}/flags/salted`, { spaces: { share: { salt: "x" } } })).body).toMatchObject({
      status: 422,
      code: "unknown_field",
      field: "spaces",
    });
  });

  it("of metadata reaches SDKs and raises no exposure; `{}` takes it away; names of Belay's own are refused", async () => {
    const metadata = { ticket: "SHOP-7", beta: true, weight: 0.5 };
    expect((await ask("POST", `${P}/flags`, { key: "said", metadata })).body.metadata).toEqual(metadata);
    const inSnapshot = async () => {
      const { body } = await ask("GET", "/sdk/v1/snapshot", undefined, { as: server.sdkKeys["production"] as string });
      return [body.revision, body.flags.said.metadata];
    };
    const [revision, said] = await inSnapshot();
    expect(said).toEqual(metadata);
    expect((await ask("PATCH", `${P}/flags/said`, { metadata: { ticket: "SHOP-8" } })).status).toBe(200);
    expect(await inSnapshot()).toEqual([revision + 1, { ticket: "SHOP-8" }]);
    expect(Object.keys((await ask("PATCH", `${P}/flags/said`, { metadata: {} })).body)).not.toContain("metadata");
    expect(await inSnapshot()).toEqual([revision + 2, undefined]);
    for (const [wrong, field] of [
      [{ version: "2" }, "metadata.version"],
      [{ nested: { a: 1 } }, "metadata.nested"],
      [{ nothing: null }, "metadata.nothing"],
      [{ long: "x".repeat(1_001) }, "metadata.long"],
    ] as const) {
      const refused = await ask("PATCH", `${P}/flags/said`, { metadata: wrong });
      expect([refused.status, refused.body.field]).toEqual([422, field]);
    }
  });

  it("clears with null what may be absent, and nothing else", async () => {
    await ask("POST", `${P}/flags`, { key: "owned", owner: "me", expectedLifetimeDays: 30 });
    const { body } = await ask("PATCH", `${P}/flags/owned`, { owner: null, expectedLifetimeDays: null });
    expect(Object.keys(body)).not.toContain("owner");
    expect(Object.keys(body)).not.toContain("expectedLifetimeDays");
    expect((await ask("PATCH", `${P}/flags/owned`, { variants: null })).status).toBe(422);
  });

  it("raises environments only when SDKs can see it", async () => {
    await ask("POST", `${P}/flags`, { key: "seen" });
    const revision = async (): Promise<number> => (await ask("GET", E)).body.revision;
    const before = await revision();
    await ask("PATCH", `${P}/flags/seen`, { description: "only people read this" });
    expect(await revision()).toBe(before);
    await ask("PATCH", `${P}/flags/seen`, { variants: { on: true, off: false, other: true } });
    expect(await revision()).toBe(before + 1);
    await ask("PATCH", `${P}/flags/seen`, { variants: { on: true, off: false, other: true } });
    expect(await revision()).toBe(before + 1);
  });

  it("cannot take away a variant that a rule or another flag still serves", async () => {
    await ask("POST", `${P}/flags`, { key: "base" });
    await ask("PUT", `${E}/flags/base/rollout`, { percentage: 5 });
    const own = await ask("PATCH", `${P}/flags/base`, { variants: { yes: true, off: false } });
    expect(own.body).toMatchObject({ status: 422, code: "unknown_variant", environment: "production" });
    await ask("PUT", `${E}/flags/base/rollout`, { percentage: 5, variant: "on" });
    await ask("PATCH", `${P}/flags/base`, { variants: { on: true, off: false, spare: true } });
    await ask("POST", `${P}/flags`, { key: "leaf" });
    const rules = [{ id: "r", when: { flag: "base", variants: ["spare"] }, serve: { variant: "on" } }];
    expect((await ask("PUT", `${E}/flags/leaf`, { enabled: true, rules })).status).toBe(200);
    const other = await ask("PATCH", `${P}/flags/base`, { variants: { on: true, off: false } });
    expect(other.body).toMatchObject({ status: 422, code: "unknown_variant", flag: "leaf", field: "rules[0].when.variants[0]" });
    const used = await ask("POST", `${P}/flags/base/archive`, {});
    expect(used.body).toMatchObject({ status: 409, code: "in_use", users: "flag leaf in production" });
  });
});

describe("an archived flag", () => {
  it("is unknown to SDKs and cannot be changed until it is restored", async () => {
    await ask("POST", `${P}/flags`, { key: "old" });
    await ask("POST", `${P}/flags/old/archive`, {});
    const snapshot = await ask("GET", "/sdk/v1/snapshot", undefined, { as: server.sdkKeys["production"] as string });
    expect(Object.keys(snapshot.body.flags)).not.toContain("old");
    expect((await ask("PUT", `${E}/flags/old/rollout`, { percentage: 1 })).body).toMatchObject({ status: 409, code: "archived" });
    expect((await ask("PATCH", `${P}/flags/old`, { description: "x" })).body.code).toBe("archived");
    expect((await ask("GET", `${P}/flags?archived=true&q=old`)).body.items.map(({ key }: { key: string }) => key)).toEqual([
      "old",
    ]);
    expect((await ask("POST", `${P}/flags/old/restore`, {})).body.archived).toBe(false);
    expect((await ask("PUT", `${E}/flags/old/rollout`, { percentage: 1 })).status).toBe(200);
  });
});

it("names the nearest key of a flag not found", async () => {
  await ask("POST", `${P}/flags`, { key: "checkout-v2" });
  const { body } = await ask("PUT", `${E}/flags/chekout-v2/rollout`, { percentage: 1 });
  expect(body).toMatchObject({ status: 404, code: "flag_not_found", nearest: "checkout-v2" });
  await ask("POST", `${P}/flags`, { key: "q" });
  expect((await ask("GET", `${P}/flags/x`)).body).not.toHaveProperty("nearest");
});

it("lists flags page by page in the order of their keys, each once", async () => {
  const seen: string[] = [];
  let cursor = "";
  do {
    const { body } = await ask("GET", `${P}/flags?limit=3${cursor}`);
    seen.push(...body.items.map(({ key }: { key: string }) => key));
    cursor = body.next === undefined ? "" : `&cursor=${body.next}`;
  } while (cursor !== "");
  expect(seen).toEqual([...new Set(seen)].sort());
  expect(seen.length).toBeGreaterThan(10);
  expect((await ask("GET", `${P}/flags?cursor=nonsense`)).body.code).toBe("invalid_cursor");
});

it("lists changes of environments there are, from cursors it made", async () => {
  const asked = async (query: string): Promise<unknown> => {
    const { status, body } = await ask("GET", `${P}/changes?${query}`);
    return [status, body.code ?? body.items.length];
  };
  const cursor = (place: string): string => Buffer.from(JSON.stringify(["changes", place])).toString("base64url");
  expect(await asked("environment=production&limit=1")).toEqual([200, 1]);
  expect(await asked("environment=prod")).toEqual([404, "environment_not_found"]);
  expect(await asked(`limit=1&cursor=${cursor("1000")}`)).toEqual([200, 1]);
  for (const place of ["x", "-1", "1e9", "99999999999999999999", ""])
    expect([place, await asked(`cursor=${cursor(place)}`)]).toEqual([place, [400, "invalid_cursor"]]);
});
