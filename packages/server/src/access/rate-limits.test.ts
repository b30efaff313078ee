import { afterEach, describe, expect, it, onTestFinished } from "vitest";
import { E, P, type TestServer, testServer } from "../app.fixture.ts";
import { withRedis } from "../store/bus/redis.fixture.ts";
import { createRateLimits, networkOf, type RateLimits } from "./rate-limits.ts";

let server: TestServer;
afterEach(() => server?.close());

const statuses = (answers: readonly { status: number }[]): Record<number, number> => {
  const counts: Record<number, number> = {};
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
};

describe("rate limits", () => {
  it("fault 52: of 300 wrong tokens 100 are told so and 200 to wait; right ones pass all the while", async () => {
    server = await testServer({ limits: createRateLimits() });
    const sdk = { as: server.sdkKeys["production"] as string };
    const wrong = [];
    const right = [];
    for (let at = 0; at < 100; at++) {
      for (const as of ["wrong-token-0123456789", `belay_token_${"a".repeat(12)}_${"b".repeat(32)}`, "x"]) {
        wrong.push(await server.ask("GET", at % 2 === 0 ? P : "/sdk/v1/snapshot", undefined, { as }));
      }
      right.push(await server.ask("GET", P), await server.ask("GET", "/sdk/v1/snapshot", undefined, sdk));
    }
    expect(statuses(wrong)).toEqual({ 401: 100, 429: 200 });
    expect(statuses(right)).toEqual({ 200: 200 });
    expect(wrong.at(-1)?.body).toMatchObject({ code: "too_many_requests", status: 429 });
    const waitS = Number(wrong.at(-1)?.headers["retry-after"]);
    expect(waitS).toBeGreaterThanOrEqual(1);
    expect(waitS).toBeLessThanOrEqual(60);
  });

  it("a token that runs away waits; others, and SDK keys of its project, do not", async () => {
    server = await testServer({ limits: createRateLimits({ requestsPerMinute: 20 }) });
    const made = await server.ask("POST", "/api/v1/tokens", { name: "other", role: "viewer" });
    expect(made.status).toBe(201);
    const answers = await Promise.all(Array.from({ length: 50 }, () => server.ask("GET", `${E}/flags`)));
    expect(statuses(answers)).toEqual({ 200: 19, 429: 31 });
    expect((await server.ask("GET", P, undefined, { as: made.body.secret })).status).toBe(200);
    const sdk = { as: server.sdkKeys["production"] as string };
    const snapshots = await Promise.all(Array.from({ length: 50 }, () => server.ask("GET", "/sdk/v1/snapshot", undefined, sdk)));
    expect(statuses(snapshots)).toEqual({ 200: 50 });
  });

  it("a request without any secret guesses nothing and is not counted", async () => {
    server = await testServer({ limits: createRateLimits({ wrongPerMinute: 1 }) });
    const answers = [];
    for (let at = 0; at < 5; at++) answers.push({ status: (await server.app.inject({ url: P })).statusCode });
    expect(statuses(answers)).toEqual({ 401: 5 });
  });

  it.each([
    ["10.1.2.3", "10.1.2.3"],
    ["::ffff:10.1.2.3", "10.1.2.3"],
    ["::1", "0:0:0:0"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2"],
    ["2001:db8::6", "2001:db8:0:0"],
    ["2001:0DB8:1:2::", "2001:db8:1:2"],
    ["fe80::1%eth0", "fe80:0:0:0"],
  ])("counts %s with its network %s", (ip, network) => {
    expect(networkOf(ip)).toBe(network);
  });
});

withRedis("rate limits over Redis", (redis) => {
  const pair = (prefix: string): [RateLimits, RateLimits] => {
    const options = { redis: { urls: [redis().url], prefix }, wrongPerMinute: 10 };
    const two: [RateLimits, RateLimits] = [createRateLimits(options), createRateLimits(options)];
    onTestFinished(() => {
      for (const limits of two) limits.close();
    });
    return two;
  };
  const refusedOf = async (count: number, limits: readonly RateLimits[], ip: string): Promise<number> => {
    let refused = 0;
    for (let at = 0; at < count; at++) {
      await (limits[at % limits.length] as RateLimits).countWrong({ ip }).catch((error) => {
        expect(error).toMatchObject({ code: "too_many_requests" });
        refused += 1;
      });
    }
    return refused;
  };
  /** Until both count in Redis: an address that one has spent is refused by the other. */
  const together = async (limits: readonly [RateLimits, RateLimits], name: string): Promise<void> => {
    let turn = 0;
    await expect
      .poll(
        async () => {
          turn += 1;
          const ip = `${name}.${turn}`;
          await refusedOf(11, [limits[0]], ip);
          return refusedOf(1, [limits[1]], ip);
        },
        { timeout: 20_000 },
      )
      .toBe(1);
  };

  it("are counted together by all servers", async () => {
    const limits = pair("together");
    await together(limits, "a");
    expect(await refusedOf(30, limits, "10.0.0.1")).toBe(20);
  });

  it("fault 53: are kept by each server alone while Redis is gone, hung or holds another type there, and together again after", async () => {
    const limits = pair("alone");
    await together(limits, "a");
    await redis().kill();
    expect(await refusedOf(30, limits, "10.0.0.2")).toBe(10);
    await redis().start();
    await together(limits, "b");
    redis().signal("SIGSTOP");
    expect(await refusedOf(30, limits, "10.0.0.3")).toBe(10);
    redis().signal("SIGCONT");
    await together(limits, "c");
    expect(await redis().command("LPUSH", "alone:rate:wrong:10.0.0.4", "x")).toBe(":1\r\n");
    expect(await refusedOf(30, limits, "10.0.0.4")).toBe(10);
    expect(await redis().command("FLUSHALL")).toBe("+OK\r\n");
    expect(await refusedOf(30, limits, "10.0.0.5")).toBe(20);
  });
});
