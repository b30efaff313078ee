import type { Targeting } from "@belay/protocol";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Answer, E, P, type TestServer, testServer } from "../app.fixture.ts";

let server: TestServer;
let ask: TestServer["ask"];
let key: string;
let flag: string;
let count = 0;
beforeAll(async () => {
  server = await testServer();
  ask = server.ask;
});
afterAll(() => server.close());
beforeEach(async () => {
  count += 1;
  key = `flag-${count}`;
  flag = `${E}/flags/${key}`;
  await ask("POST", `${P}/flags`, { key });
});

const put = (targeting: object): Promise<Answer> => ask("PUT", flag, { enabled: true, rules: [], ...targeting });
const targeting = async (): Promise<Targeting> => (await ask("GET", flag)).body.targeting;

describe("a rollout", () => {
  it("says what it did", async () => {
    const first = await ask("PUT", `${flag}/rollout`, { percentage: 12.5, reason: "start" });
    expect(first.body).toEqual({
      project: "default",
      environment: "production",
      flag: key,
      percentage: 12.5,
      from: 0,
      variant: "on",
      enabled: true,
      revision: first.body.revision,
    });
    expect((await ask("PUT", `${flag}/rollout`, { percentage: 100 })).body).toMatchObject({ percentage: 100, from: 12.5 });
  });

  it("is the last rule, for everybody, with one part from 0", async () => {
    await put({ rules: [{ id: "first", when: { attribute: "a", op: "exists", value: true }, serve: { variant: "on" } }] });
    await ask("PUT", `${flag}/rollout`, { percentage: 33.3333 });
    expect((await targeting()).rules.map(({ id }) => id)).toEqual(["first", "rollout"]);
    expect((await targeting()).rules[1]).toEqual({
      id: "rollout",
      serve: { split: [{ variant: "on", draws: [{ space: "share", in: [[0, 333_333]] }] }] },
    });
    await ask("PUT", `${flag}/rollout`, { percentage: 0 });
    expect((await targeting()).rules[1]?.serve).toEqual({ split: [{ variant: "on", draws: [{ space: "share", in: [] }] }] });
    await ask("PUT", `${flag}/rollout`, { percentage: 100 });
    expect((await targeting()).rules[1]?.serve).toEqual({
      split: [{ variant: "on", draws: [{ space: "share", in: [[0, 1_000_000]] }] }],
    });
  });

  it("is refused where its percentage would say nothing of who gets the variant", async () => {
    await put({ off: "off", fallthrough: { variant: "on" } });
    const before = await targeting();
    const refused = await ask("PUT", `${flag}/rollout`, { percentage: 0 });
    expect(refused.body).toMatchObject({ status: 409, code: "rollout_idle", variant: "on", flag: key });
    expect(refused.body.hint).toContain(`flags/${key}/enabled`);
    const explicit = await ask("PUT", `${flag}/rollout`, { percentage: 30, variant: "on" });
    expect(explicit.body).toMatchObject({ status: 409, code: "rollout_idle" });
    const lowered = await ask("POST", `${flag}/preview`, { rollout: { percentage: 0 } });
    expect(lowered.body).toMatchObject({ status: 409, code: "rollout_idle" });
    expect(await targeting()).toEqual(before);
    expect((await ask("PUT", `${flag}/rollout`, { percentage: 30, variant: "off" })).body).toMatchObject({
      percentage: 30,
      from: 0,
      variant: "off",
    });
  });

  it("moves both ends of a comparison, so that nobody changes arms below half", async () => {
    const tracks = { release: "r1" };
    const draws = [{ space: "share", in: [[0, 10_000]] }];
    const controlDraws = [{ space: "share", in: [[990_000, 1_000_000]] }];
    const split = [
      { variant: "on", draws, tracks },
      { variant: "off", draws: controlDraws, tracks },
    ];
    await put({ rules: [{ id: "rollout", serve: { split } }] });
    const arms = async (percentage: number): Promise<unknown> => {
      await ask("PUT", `${flag}/rollout`, { percentage });
      const { serve } = (await targeting()).rules[0] as Targeting["rules"][number];
      return "split" in serve ? serve.split.map((part) => part.draws[0]?.in) : undefined;
    };
    expect(await arms(10)).toEqual([[[0, 100_000]], [[900_000, 1_000_000]]]);
    expect(await arms(50)).toEqual([[[0, 500_000]], [[500_000, 1_000_000]]]);
    expect(await arms(80)).toEqual([[[0, 800_000]], [[800_000, 1_000_000]]]);
    expect(await arms(100)).toEqual([[[0, 1_000_000]], []]);
    expect(await arms(0)).toEqual([[], []]);
    expect(await arms(5)).toEqual([[[0, 50_000]], [[950_000, 1_000_000]]]);
    expect((await ask("PUT", `${flag}/rollout`, { percentage: 5, variant: "off" })).body).toMatchObject({
      status: 422,
      field: "variant",
    });
  });

  it("moves the share of a weighted split and leaves the weights", async () => {
    await put({ rules: [{ id: "rollout", serve: { weights: { on: 50, off: 50 }, share: 10, tracks: { experiment: "x" } } }] });
    await ask("PUT", `${flag}/rollout`, { percentage: 20 });
    const serve = (await targeting()).rules[0]?.serve as { readonly split: readonly { readonly draws: unknown }[] };
    expect(serve.split.map(({ draws }) => draws)).toEqual([
      [
        { space: "share", in: [[0, 200_000]] },
        { space: "split", in: [[0, 500_000]] },
      ],
      [
        { space: "share", in: [[0, 200_000]] },
        { space: "split", in: [[500_000, 1_000_000]] },
      ],
    ]);
  });

  it("needs a variant at the first rollout of a flag that is not boolean", async () => {
    await ask("POST", `${P}/flags`, { key: `${key}-text`, type: "string", variants: { a: "1", b: "2" } });
    const path = `${E}/flags/${key}-text/rollout`;
    expect((await ask("PUT", path, { percentage: 1 })).body).toMatchObject({
      status: 422,
      field: "variant",
      allowed: ["a", "b"],
    });
    expect((await ask("PUT", path, { percentage: 1, variant: "c" })).body).toMatchObject({
      code: "unknown_variant",
      allowed: ["a", "b"],
    });
    expect((await ask("PUT", path, { percentage: 1, variant: "b" })).body).toMatchObject({ variant: "b" });
    expect((await ask("PUT", path, { percentage: 2 })).body).toMatchObject({ variant: "b", from: 1 });
  });

  it("spends no revision when nothing changes", async () => {
    const { body } = await ask("PUT", `${flag}/rollout`, { percentage: 7 });
    const again = await ask("PUT", `${flag}/rollout`, { percentage: 7 });
    expect(again.body).toMatchObject({ from: 7, percentage: 7, revision: body.revision });
    expect((await ask("GET", `${P}/changes?key=${key}&action=rollout.set`)).body.items).toHaveLength(1);
  });

  it.each([
    ["when", { id: "rollout", when: { all: [] }, serve: { split: [{ variant: "on", draws: [{ space: "share", in: [] }] }] } }],
    ["serve", { id: "rollout", serve: { variant: "on" } }],
    ["serve", { id: "rollout", serve: { split: [{ variant: "on", draws: [] }] } }],
  ])("keeps its reserved rule in a form it can move (%s)", async (field, rule) => {
    expect((await put({ rules: [rule] })).body).toMatchObject({ status: 422, code: "invalid_field", field: `rules[0].${field}` });
    const last = { id: "last", serve: { variant: "on" } };
    const good = { id: "rollout", serve: { split: [{ variant: "on", draws: [{ space: "share", in: [] }] }] } };
    expect((await put({ rules: [good, last] })).body.field).toBe("rules[0].id");
  });
});

describe("fault 40: a percentage is never guessed", () => {
  const bad: readonly [string, number, string, string | undefined][] = [
    ['{"percentage": null}', 422, "invalid_percentage", "percentage"],
    ['{"percentage": true}', 422, "invalid_percentage", "percentage"],
    ['{"percentage": "50"}', 422, "invalid_percentage", "percentage"],
    ['{"percentage": [50]}', 422, "invalid_percentage", "percentage"],
    ['{"percentage": 1e999}', 422, "invalid_percentage", "percentage"],
    ['{"percentage": -1}', 422, "invalid_percentage", "percentage"],
    ['{"percentage": 100.0001}', 422, "invalid_percentage", "percentage"],
    ['{"percentage": 12.34567}', 422, "invalid_percentage", "percentage"],
    ['{"percentage": "NaN"}', 422, "invalid_percentage", "percentage"],
    ['{"percentage": NaN}', 400, "invalid_json", undefined],
    ['{"percentag": 50}', 422, "unknown_field", "percentag"],
    ['{"percentage": 50, "Reason": "x"}', 422, "unknown_field", "Reason"],
    ['{"percentage": 50, "variant": 1}', 422, "invalid_key", "variant"],
    ["{}", 422, "invalid_percentage", "percentage"],
    ["null", 422, "invalid_field", "body"],
    ["[]", 422, "invalid_field", "body"],
    ['"50"', 422, "invalid_field", "body"],
    ["", 400, "invalid_json", undefined],
    ['{"percentage": 50', 400, "invalid_json", undefined],
  ];

  it.each(bad)("%s is %i %s", async (body, status, code, field) => {
    const before = await ask("PUT", `${flag}/rollout`, { percentage: 25 });
    const answer = await ask("PUT", `${flag}/rollout`, body);
    expect([answer.status, answer.body.code, answer.body.field]).toEqual([status, code, field]);
    expect(answer.headers["content-type"]).toMatch(/^application\/problem\+json/);
    const after = await ask("GET", `${flag}/rollout`);
    expect(after.body.percentage).toBe(25);
    expect(after.headers.etag).toBe(before.headers.etag);
  });

  it.each([
    ["PUT", "", '{"enabled": 1, "rules": []}', "enabled"],
    ["PUT", "", '{"enabled": true, "rules": null}', "rules"],
    ["PUT", "", '{"enabled": true, "rules": {}}', "rules"],
    ["PUT", "", '{"enabled": true, "rules": [], "of": "x"}', "of"],
    ["PUT", "", '{"enabled": true, "rules": [{"id": "a", "serve": {"variant": "nope"}}]}', "rules[0].serve.variant"],
    ["PUT", "", '{"enabled": true, "rules": [{"id": "a", "serve": {"varian": "on"}}]}', "rules[0].serve"],
    ["PUT", "", '{"enabled": true, "rules": [{"id": "a", "serve": {"variant": "on", "x": 1}}]}', "rules[0].serve.x"],
    [
      "PUT",
      "",
      '{"enabled": true, "rules": [{"id": "a", "serve": {"variant": "on"}}, {"id": "a", "serve": {"variant": "on"}}]}',
      "rules[1].id",
    ],
    ["PUT", "", rule('{"attribute": "a", "op": "like", "value": 1}'), "rules[0].when.op"],
    ["PUT", "", rule('{"attribute": "a", "op": "matches", "value": "("}'), "rules[0].when.value"],
    ["PUT", "", rule('{"attribute": "a", "op": "matches", "value": "(?=x)y"}'), "rules[0].when.value"],
    ["PUT", "", rule('{"attribute": "a", "op": "in"}'), "rules[0].when.value"],
    ["PUT", "", rule('{"all": [{"any": [{"attribute": "", "op": "in", "value": 1}]}]}'), "rules[0].when.all[0].any[0].attribute"],
    ["PUT", "", rule('{"segment": "nope"}'), "rules[0].when.segment"],
    ["PUT", "", rule('{"flag": "nope", "variants": ["on"]}'), "rules[0].when.flag"],
    ["PUT", "", rule('{"draw": {"space": "layer/nope", "in": [[0, 5]]}}'), "rules[0].when.draw.space"],
    ["PUT", "", rule('{"draw": {"space": "share", "in": [[5, 2]]}}'), "rules[0].when.draw.in"],
    ["PUT", "", rule('{"draw": {"space": "share", "in": [[0, 10], [5, 20]]}}'), "rules[0].when.draw.in"],
    ["PUT", "", rule('{"draw": {"space": "share", "in": [[0, 1000001]]}}'), "rules[0].when.draw.in[0][1]"],
    ["PUT", "", rule('{"draw": {"space": "share", "in": [[0, 0.5]]}}'), "rules[0].when.draw.in[0][1]"],
    ["PUT", "/enabled", '{"enabled": "false"}', "enabled"],
    ["PUT", "/enabled", "{}", "enabled"],
  ] as const)("%s %s %s names %s", async (method, path, body, field) => {
    const before = await ask("GET", flag);
    const answer = await ask(method, `${flag}${path}`, body);
    expect([answer.status, answer.body.field]).toEqual([422, field]);
    const after = await ask("GET", flag);
    expect([after.headers.etag, after.text]).toEqual([before.headers.etag, before.text]);
  });

  function rule(when: string): string {
    return `{"enabled": true, "rules": [{"id": "a", "when": ${when}, "serve": {"variant": "on"}}]}`;
  }
});

describe("fault 41: weights", () => {
  beforeEach(async () => {
    key = `${key}-three`;
    flag = `${E}/flags/${key}`;
    await ask("POST", `${P}/flags`, { key, type: "string", variants: { c: "3", a: "1", b: "2" } });
  });
  const weigh = (weights: object, more: object = {}): Promise<Answer> => put({ fallthrough: { weights, ...more } });

  it.each([
    [{ a: 33.33, b: 33.33, c: 33.33 }, 99.99],
    [{ a: 50, b: 50.01 }, 100.01],
    [{ a: 0, b: 0 }, 0],
    [{ a: 32.3333, b: 32.3333, c: 32.3333 }, 96.9999],
  ])("%o are refused with their sum", async (weights, sum) => {
    expect((await weigh(weights)).body).toMatchObject({
      status: 422,
      code: "invalid_weights",
      sum,
      field: "fallthrough.weights",
    });
  });

  it("of 33.33, 33.33 and 33.34 are taken exactly, in the order of their names", async () => {
    await weigh({ c: 33.34, b: 33.33, a: 33.33 });
    const ranges = [
      ["a", [[0, 333_300]]],
      ["b", [[333_300, 666_600]]],
      ["c", [[666_600, 1_000_000]]],
    ];
    const { fallthrough } = (await ask("GET", flag)).body.targeting;
    expect(
      fallthrough.split.map(({ variant, draws }: { variant: string; draws: { in: unknown }[] }) => [variant, draws[0]?.in]),
    ).toEqual(ranges);
  });

  it.each([
    [{ a: 50, d: 50 }, {}, "unknown_variant", "fallthrough.weights.d"],
    [{ a: 33.33333, b: 66.66667 }, {}, "invalid_percentage", "fallthrough.weights.a"],
    [{ a: "50", b: 50 }, {}, "invalid_percentage", "fallthrough.weights.a"],
    [{ a: 100 }, { share: 101 }, "invalid_percentage", "fallthrough.share"],
    [{ a: 100 }, { share: 0.00001 }, "invalid_percentage", "fallthrough.share"],
    [{ a: 100 }, { tracks: { experiment: "x", release: "y" } }, "unknown_field", "fallthrough.tracks.release"],
    [{}, {}, "invalid_field", "fallthrough.weights"],
  ])("%o with %o is %s at %s", async (weights, more, code, field) => {
    expect((await weigh(weights, more)).body).toMatchObject({ status: 422, code, field });
  });
});

describe("an epoch", () => {
  const epochs = async (): Promise<unknown> => {
    const [rule] = (await targeting()).rules;
    return rule !== undefined && "split" in rule.serve ? rule.serve.split.map(({ tracks }) => tracks?.epoch) : undefined;
  };
  const weighted = (on: number, more: object = {}) => ({
    rules: [{ id: "exp", serve: { weights: { on, off: 100 - on }, tracks: { experiment: "x", epoch: 1 } }, ...more }],
  });

  it("is the revision at which the allocation last changed, whatever the client says", async () => {
    const { revision } = (await put(weighted(50))).body;
    expect(await epochs()).toEqual([revision, revision]);
    await put(weighted(50, { name: "renamed", when: { attribute: "a", op: "exists", value: true } }));
    await ask("PUT", `${flag}/enabled`, { enabled: false });
    await put({ ...weighted(50), off: "off", fallthrough: { variant: "on" } });
    expect(await epochs()).toEqual([revision, revision]);
    const changed = (await put({ ...weighted(60), newEpoch: true })).body.revision;
    expect(changed).toBe(revision + 4);
    expect(await epochs()).toEqual([changed, changed]);
    const back = (await put({ ...weighted(50), newEpoch: true })).body.revision;
    expect(await epochs()).toEqual([back, back]);
  });
});

describe("prerequisites", () => {
  const needs = (other: string): object => ({ prerequisites: [{ flag: other, variants: ["on"] }] });

  it.each([1, 2, 50])("fault 5: in a cycle of %i are refused", async (length) => {
    const keys = Array.from({ length }, (_, index) => `cycle-${length}-${index}`);
    for (const name of keys) await ask("POST", `${P}/flags`, { key: name });
    for (let index = 0; index < length - 1; index += 1) {
      const { status } = await ask("PUT", `${E}/flags/${keys[index]}`, {
        enabled: true,
        rules: [],
        ...needs(keys[index + 1] as string),
      });
      expect(status).toBe(200);
    }
    const last = await ask("PUT", `${E}/flags/${keys.at(-1)}`, { enabled: true, rules: [], ...needs(keys[0] as string) });
    expect([last.status, last.body.code]).toEqual([409, "prerequisite_cycle"]);
  });
});

describe("fault 6: what is too deep or too much", () => {
  const nested = (depth: number): string => `${'{"all":['.repeat(depth)}{"segment":"s"}${"]}".repeat(depth)}`;
  const withRule = (when: string): string => `{"enabled":true,"rules":[{"id":"a","when":${when},"serve":{"variant":"on"}}]}`;

  it.each([
    ["10,000 levels", withRule(nested(10_000)), "limit_exceeded"],
    ["40 levels", withRule(nested(40)), "limit_exceeded"],
    ["100,000 lists", "[".repeat(100_000) + "]".repeat(100_000), "limit_exceeded"],
    [
      "10,001 conditions",
      withRule(`{"any":[${Array.from({ length: 10_001 }, () => '{"attribute":"a","op":"in","value":1}').join()}]}`),
      "limit_exceeded",
    ],
    [
      "1,001 rules",
      JSON.stringify({
        enabled: true,
        rules: Array.from({ length: 1_001 }, (_, i) => ({ id: `r${i}`, serve: { variant: "on" } })),
      }),
      "limit_exceeded",
    ],
    [
      "10,001 values",
      withRule(JSON.stringify({ attribute: "a", op: "in", value: Array.from({ length: 10_001 }, (_, i) => i) })),
      "limit_exceeded",
    ],
  ])("%s: 422", async (_, body, code) => {
    const started = performance.now();
    const answer = await ask("PUT", flag, body);
    expect([answer.status, answer.body.code]).toEqual([422, code]);
    expect(performance.now() - started).toBeLessThan(1_000);
  });

  it("fault 51: a body over the limit is 413, another type 415", async () => {
    expect((await ask("PUT", flag, `{"reason":"${"x".repeat(1_100_000)}"}`)).body).toMatchObject({
      status: 413,
      code: "body_too_large",
      limit: 1_048_576,
    });
    const answer = await ask("PUT", flag, "a: 1", { headers: { "content-type": "text/yaml" } });
    expect(answer.body).toMatchObject({ status: 415, code: "unsupported_media_type", received: '"text/yaml"' });
  });
});

describe("a client-side flag", () => {
  beforeEach(async () => {
    await ask("PATCH", `${P}/flags/${key}`, { clientSide: true });
  });
  const test = (when: object): object => ({ rules: [{ id: "a", when, serve: { variant: "on" } }] });

  it("may not use patterns, private attributes, hidden flags, or segments that do", async () => {
    await ask("POST", "/api/v1/projects", { key: `p${count}`, privateAttributes: ["company"] });
    const project = `/api/v1/projects/p${count}`;
    await ask("POST", `${project}/flags`, { key: "shown", clientSide: true });
    await ask("POST", `${project}/flags`, { key: "hidden" });
    const pattern = { attribute: "a", op: "matches", value: "x" };
    await ask("POST", `${project}/segments`, { key: "patterned", when: pattern });
    const place = `${project}/environments/production/flags/shown`;
    const cases: [object, string][] = [
      [pattern, "rules[0].when.op"],
      [{ attribute: "company.plan", op: "in", value: "pro" }, "rules[0].when.attribute"],
      [{ flag: "hidden", variants: ["on"] }, "rules[0].when.flag"],
      [{ not: { segment: "patterned" } }, "rules[0].when.not.segment"],
    ];
    for (const [when, field] of cases) {
      const answer = await ask("PUT", place, { enabled: true, ...test(when) });
      expect(answer.body).toMatchObject({ status: 422, code: "not_client_side", field, flag: "shown" });
      expect((await ask("PUT", `${project}/environments/production/flags/hidden`, { enabled: true, ...test(when) })).status).toBe(
        field.endsWith("flag") ? 409 : 200,
      );
      if (!field.endsWith("flag")) {
        expect((await ask("PATCH", `${project}/flags/hidden`, { clientSide: true })).body.code).toBe("not_client_side");
      }
    }
    await ask("POST", `${project}/segments`, { key: "plain", when: { attribute: "a", op: "in", value: 1 } });
    expect((await ask("PUT", place, { enabled: true, ...test({ segment: "plain" }) })).status).toBe(200);
    expect((await ask("PUT", `${project}/segments/plain`, { when: pattern })).body).toMatchObject({
      code: "not_client_side",
      flag: "shown",
    });
  });
});

it("switches a flag off and on without touching its rules", async () => {
  await ask("PUT", `${flag}/rollout`, { percentage: 40 });
  const before = await targeting();
  const off = await ask("PUT", `${flag}/enabled`, { enabled: false, reason: "incident" });
  expect(off.body.targeting).toEqual({ ...before, enabled: false });
  expect((await ask("PUT", `${flag}/enabled`, { enabled: true })).body.targeting).toEqual(before);
});

it("explains a decision in words", async () => {
  await ask("PUT", `${flag}/rollout`, { percentage: 100 });
  const { body } = await ask("POST", `${E}/explain`, { flag: key, context: { targetingKey: "user-42" } });
  expect(body.result).toMatchObject({ variant: "on", reason: "SPLIT" });
  expect(body.lines.length).toBeGreaterThan(1);
});
