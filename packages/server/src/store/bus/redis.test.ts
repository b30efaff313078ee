import { setTimeout as sleep } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Json } from "@belay/protocol";
import { type RedisServer, startFaultProxy, startRedis } from "@belay/testkit";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { busContract } from "./bus.contract.ts";
import type { Bus } from "./bus.ts";
import { withRedis } from "./redis.fixture.ts";
import { redisBus } from "./redis-bus.ts";
import type { RedisOptions } from "./redis-client.ts";

withRedis("bus over Redis", (redis) => {
  let installations = 0;
  const faults: unknown[] = [];
  const joined = async (options: RedisOptions): Promise<Bus> => {
    const bus = redisBus({ redis: options, onFault: (error) => faults.push(error), beatMs: 100 });
    await new Promise<void>((resolve) => bus.onGap(resolve));
    return bus;
  };
  const busOn = (url: string, prefix: string): Promise<Bus> => joined({ urls: [url], prefix });
  const pair = async (): Promise<{ one: Bus; other: Bus; heard: Json[] }> => {
    installations += 1;
    const [one, other] = await Promise.all([1, 2].map(() => busOn(redis().url, `t${installations}`)));
    if (one === undefined || other === undefined) throw new Error("two were made");
    onTestFinished(() => Promise.all([one.close(), other.close()]).then(() => undefined));
    const heard: Json[] = [];
    other.subscribe("position", (message) => heard.push(message));
    return { one, other, heard };
  };
  /** Says it until it is heard: what is said while the way is shut is lost, and nobody minds. */
  const untilHeard = async (bus: Bus, heard: readonly Json[], message: number): Promise<void> => {
    await expect
      .poll(
        () => {
          bus.publish("position", message);
          return heard.includes(message);
        },
        { timeout: 20_000 },
      )
      .toBe(true);
  };

  busContract("over Redis", () => busOn(redis().url, "contract"));

  describe("of several", () => {
    let cluster: RedisServer;
    let sentinel: RedisServer;
    beforeAll(async () => {
      cluster = await startRedis({ kind: "cluster" });
      sentinel = await startRedis({ kind: "sentinel", masterPort: redis().port });
    });
    afterAll(() => Promise.all([cluster?.stop(), sentinel?.stop()]));

    busContract("over a cluster of Redis", () => joined({ urls: [cluster.url, cluster.url], prefix: "contract" }));
    busContract("over sentinels of Redis", () => joined({ urls: [sentinel.url], sentinel: "main", prefix: "contract" }));
  });

  it("goes on at the replica that its sentinels make the master where the master died", async () => {
    const master = await startRedis();
    onTestFinished(() => master.stop());
    const replica = await startRedis();
    onTestFinished(() => replica.stop());
    await replica.command("REPLICAOF", "127.0.0.1", String(master.port));
    await expect.poll(() => replica.command("INFO", "replication"), { timeout: 30_000 }).toContain("master_link_status:up");
    const sentinel = await startRedis({ kind: "sentinel", masterPort: master.port });
    onTestFinished(() => sentinel.stop());
    const options: RedisOptions = { urls: [sentinel.url], sentinel: "main", prefix: "t-moved" };
    const [one, other] = await Promise.all([joined(options), joined(options)]);
    onTestFinished(() => Promise.all([one.close(), other.close()]).then(() => undefined));
    const heard: Json[] = [];
    other.subscribe("position", (message) => heard.push(message));
    await untilHeard(one, heard, 8);
    await expect.poll(() => sentinel.command("SENTINEL", "FAILOVER", "main"), { timeout: 30_000, interval: 200 }).toBe("+OK\r\n");
    await expect.poll(() => replica.command("INFO", "replication"), { timeout: 30_000 }).toContain("role:master");
    await master.kill();
    await untilHeard(one, heard, 9);
    await expect.poll(() => replica.command("PUBSUB", "NUMSUB", "t-moved:bus"), { timeout: 20_000 }).toMatch(/:2\r\n$/);
  });

  it("comes by its master through sentinels that answer later than it misses its beats", async () => {
    const sentinel = await startRedis({ kind: "sentinel", masterPort: redis().port });
    onTestFinished(() => sentinel.stop());
    const way = await startFaultProxy(sentinel.port);
    onTestFinished(() => way.close());
    way.faults.latencyMs = 120;
    const bus = await joined({ urls: [`redis://127.0.0.1:${way.port}`], sentinel: "main", prefix: "t-slow" });
    onTestFinished(() => bus.close());
    await expect.poll(() => redis().command("PUBSUB", "NUMSUB", "t-slow:bus"), { timeout: 20_000 }).toMatch(/:1\r\n$/);
  });

  it("passes over a sentinel that hangs", async () => {
    const [hung, well] = await Promise.all([1, 2].map(() => startRedis({ kind: "sentinel", masterPort: redis().port })));
    if (hung === undefined || well === undefined) throw new Error("two were started");
    onTestFinished(() => Promise.all([hung.stop(), well.stop()]).then(() => undefined));
    hung.signal("SIGSTOP");
    const bus = await joined({ urls: [hung.url, well.url], sentinel: "main", prefix: "t-hung" });
    onTestFinished(() => bus.close());
    await expect.poll(() => redis().command("PUBSUB", "NUMSUB", "t-hung:bus"), { timeout: 20_000 }).toMatch(/:1\r\n$/);
  });

  it("keeps installations with different prefixes apart", async () => {
    const { one, heard } = await pair();
    const { one: stranger } = await pair();
    stranger.publish("position", 1);
    one.publish("position", 2);
    await expect.poll(() => heard, { timeout: 10_000 }).toEqual([2]);
  });

  it("passes over what is no message of its own, and goes on", async () => {
    const { one, heard } = await pair();
    const channel = `t${installations}:bus`;
    for (const text of ["nonsense", "{}", "null", '{"from":"x","said":[[]]}']) await redis().command("PUBLISH", channel, text);
    one.publish("position", 3);
    await expect.poll(() => heard, { timeout: 10_000 }).toEqual([3]);
  });

  it("is emptied, or finds another type at its name, without noticing", async () => {
    const { one, heard } = await pair();
    expect(await redis().command("FLUSHALL")).toBe("+OK\r\n");
    expect(await redis().command("LPUSH", `t${installations}:bus`, "x")).toBe(":1\r\n");
    one.publish("position", 4);
    await expect.poll(() => heard, { timeout: 10_000 }).toEqual([4]);
  });

  it("goes on by itself after Redis was killed, and says that something may have been missed", async () => {
    const { one, other, heard } = await pair();
    let gaps = 0;
    other.onGap(() => {
      gaps += 1;
    });
    await redis().kill();
    for (let at = 0; at < 1_000; at++) one.publish("position", -1);
    await sleep(300);
    await redis().start();
    await untilHeard(one, heard, 5);
    await expect.poll(() => gaps, { timeout: 10_000 }).toBeGreaterThanOrEqual(1);
  });

  it("goes on by itself after Redis hung, with no more memory taken than its bound", async () => {
    const { one, other, heard } = await pair();
    let gaps = 0;
    other.onGap(() => {
      gaps += 1;
    });
    const large = "x".repeat(10_000);
    redis().signal("SIGSTOP");
    const before = memoryOf();
    // 100 MB are said to a Redis that takes nothing.
    for (let at = 0; at < 10_000; at++) {
      one.publish("taken", large);
      if (at % 500 === 0) await sleep(50);
    }
    expect(memoryOf() - before).toBeLessThan(30e6);
    redis().signal("SIGCONT");
    await untilHeard(one, heard, 6);
    await expect.poll(() => gaps, { timeout: 10_000 }).toBeGreaterThanOrEqual(1);
  });

  it("notices a connection that carries nothing though nobody ended it", async () => {
    installations += 1;
    const proxy = await startFaultProxy(redis().port);
    const [far, near] = await Promise.all([
      busOn(`redis://127.0.0.1:${proxy.port}`, `t${installations}`),
      busOn(redis().url, `t${installations}`),
    ]);
    onTestFinished(() => Promise.all([far.close(), near.close(), proxy.close()]).then(() => undefined));
    const heard: Json[] = [];
    far.subscribe("position", (message) => heard.push(message));
    const told = faults.length;
    proxy.faults.isHalfOpen = true;
    await expect.poll(() => faults.length, { timeout: 20_000 }).toBeGreaterThan(told);
    proxy.faults.isHalfOpen = false;
    await untilHeard(near, heard, 7);
  });
});

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** What the process holds, in bytes, garbage apart. */
function memoryOf(): number {
  collectGarbage();
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return heapUsed + external + arrayBuffers;
}
