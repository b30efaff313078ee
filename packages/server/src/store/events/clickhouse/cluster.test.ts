import {
  CLICKHOUSE_HINT,
  type ClickHousePorts,
  type ClickHouseServer,
  clickHousePorts,
  hasClickHouse,
  hasZooKeeper,
  startClickHouse,
  startZooKeeper,
  type TempDir,
  tempDir,
  ZOOKEEPER_HINT,
  type ZooKeeper,
} from "@belay/testkit";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { rowsOf } from "../event-store.contract.ts";
import type { EventStore } from "../event-store.ts";
import { batchOf, exposureOf, metricOf, TEN_OCLOCK } from "../events.fixture.ts";
import { openEventStore } from "../index.ts";
import { missing, skipped } from "./clickhouse.fixture.ts";

/*
 * Servers of one's own on this machine: two replicas of one shard, or two shards. Slow to start, so that they run only when
 * asked for: `npm run test:cluster`.
 */
const IS_ASKED_FOR = process.env["BELAY_TEST_CLUSTER"] === "1";
const NAME = "belay";

if (IS_ASKED_FOR && hasClickHouse() && hasZooKeeper()) {
  describe("ClickHouse with two replicas", () => clusterTests(1, 2));
  describe("ClickHouse with two shards", () => clusterTests(2, 1));
} else if (IS_ASKED_FOR) missing(`a ClickHouse cluster (${CLICKHOUSE_HINT}; ${ZOOKEEPER_HINT})`);
else skipped("a ClickHouse cluster (npm run test:cluster)");

function clusterTests(shards: number, replicas: number): void {
  let zooKeeper: ZooKeeper;
  let servers: ClickHouseServer[];
  let folder: TempDir;
  let database = 0;

  beforeAll(async () => {
    folder = await tempDir("cluster");
    zooKeeper = await startZooKeeper();
    const ports: ClickHousePorts[][] = [];
    for (let shard = 0; shard < shards; shard += 1) {
      ports.push(await Promise.all(Array.from({ length: replicas }, () => clickHousePorts())));
    }
    servers = await Promise.all(
      ports.flatMap((members, shard) =>
        members.map((own, replica) => {
          const cluster = { name: NAME, zookeeperPort: zooKeeper.port, shards: ports, shard, replica };
          return startClickHouse({ cluster }, own);
        }),
      ),
    );
  });
  afterAll(async () => {
    for (const server of servers) await server.stop();
    await zooKeeper.stop();
    await folder.remove();
  });

  /** A store on a database of its own, talking to the servers in this order. */
  async function open(order: readonly number[] = [0, 1]): Promise<{ store: EventStore; on: string }> {
    database += 1;
    const on = `cluster_${database}`;
    const urls = order.map((at) => `${servers[at]?.url}/${on}`);
    const store = await openEventStore({
      directory: `${folder.path}/${on}`,
      clickHouse: { urls, cluster: NAME },
      segmentAgeMs: 100,
    });
    onTestFinished(() => store.close());
    return { store, on };
  }

  const ten = (round: number) =>
    batchOf({ exposures: Array.from({ length: 10 }, (_, index) => exposureOf(10 * round + index + 1)) });
  const upTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1);
  /** Everything is there, however long servers take to make their tables, or to find each other again. */
  const loaded = async (store: EventStore) => expect(await store.settle(90_000)).toBe(0);
  const seqsOf = async (store: EventStore) => (await rowsOf(store)).map((row) => row["seq"]);
  /** Rows that a server itself holds. */
  const held = async (at: number, on: string) => Number(await servers[at]?.query(`select count() from ${on}.exposures_local`));
  const heldByAll = async (on: string) => (await held(0, on)) + (await held(1, on));

  test("events lie on every replica, and on one shard each; they come out in order of arrival", async () => {
    const { store, on } = await open();
    for (let round = 0; round < 20; round += 1) await store.append(ten(round));
    await loaded(store);
    expect(await seqsOf(store)).toEqual(upTo(200));
    const [one, two] = [await held(0, on), await held(1, on)];
    if (shards === 1) expect([one, two]).toEqual([200, 200]);
    else expect([one + two, one > 50, two > 50]).toEqual([200, true, true]);
  });

  test("retention and erasure reach every server", async () => {
    const { store, on } = await open();
    const exposures = Array.from({ length: 40 }, (_, index) => exposureOf(index + 1, { unit: `u${index % 20}` }));
    await store.append(batchOf({ receivedAtMs: TEN_OCLOCK - 86_400_000, exposures }));
    await store.append(batchOf({ instance: "later", exposures, metrics: [metricOf(100, { unit: "u7" })] }));
    await loaded(store);
    expect(await store.erase("default", "u7")).toBe(5);
    expect(await store.retain("default", TEN_OCLOCK - 3_600_000)).toBe(38);
    expect(await rowsOf(store)).toHaveLength(38);
    expect(await heldByAll(on)).toBe(38 * replicas);
    const unit = await servers[1]?.query(`select count() from ${on}.exposures where unit = 'u7'`);
    expect(unit).toBe("0");
  });

  test("one server is killed while events are loaded and comes back: every event is there once", async () => {
    const { store, on } = await open();
    let rounds = 0;
    const until = async (ms: number) => {
      const end = performance.now() + ms;
      for (; performance.now() < end; rounds += 1) {
        expect(await store.append(ten(rounds))).toEqual({ accepted: 10, duplicates: 0 });
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    };
    // The tables are there by then: a replica killed while it makes one leaves its half in ZooKeeper, for people to take away.
    await until(100);
    await loaded(store);
    for (const victim of shards === 1 ? [0, 1] : [1]) {
      await until(800);
      await servers[victim]?.kill();
      await until(1_500);
      // What the victim took and told nobody of is not loaded twice: until it is back the load waits, and says so.
      if ((await store.settle(3_000)) === 0) expect(await seqsOf(store)).toEqual(upTo(10 * rounds));
      await servers[victim]?.start();
      await loaded(store);
      await expect.poll(() => heldByAll(on), { timeout: 90_000 }).toBe(10 * rounds * replicas);
    }
    await until(300);
    await loaded(store);
    expect(await seqsOf(store)).toEqual(upTo(10 * rounds));
    await expect.poll(() => heldByAll(on), { timeout: 90_000 }).toBe(10 * rounds * replicas);
  }, 400_000);
}
