import { tempDir } from "@belay/testkit";
import { expect, onTestFinished, test } from "vitest";
import { rowsOf } from "../event-store.contract.ts";
import type { EventStore } from "../event-store.ts";
import { batchOf, exposureOf, metricOf } from "../events.fixture.ts";
import { openEventStore } from "../index.ts";
import { newDatabase, withClickHouse } from "./clickhouse.fixture.ts";

const DAY = 86_400_000;
/** 2026-11-20T00:00:00Z. */
const FIRST = Date.UTC(2026, 10, 20);

withClickHouse("forgetting in ClickHouse", (server) => {
  async function open(): Promise<{ store: EventStore; database: string }> {
    const folder = await tempDir("forget");
    const database = newDatabase();
    const store = await openEventStore({ directory: folder.path, clickHouse: { urls: [`${server().url}/${database}`] } });
    onTestFinished(async () => {
      await store.close();
      await server().query(`drop database if exists ${database}`);
      await folder.remove();
    });
    return { store, database };
  }

  /** Exposures of four days, one an hour (UTC), each with a metric event. */
  async function fourDays(store: EventStore, project: string): Promise<void> {
    for (let hour = 0; hour < 96; hour += 1) {
      const receivedAtMs = FIRST + hour * 3_600_000;
      const seq = 2 * hour + 1;
      await store.append(
        batchOf({ project, receivedAtMs, exposures: [exposureOf(seq, { unit: `u${hour % 7}` })], metrics: [metricOf(seq + 1)] }),
      );
    }
  }

  const partitions = async (database: string) =>
    (
      await server().query(
        `select distinct partition from system.parts where active and database = '${database}' and table = 'exposures' order by partition`,
      )
    ).split("\n");

  test("days are those of UTC, whatever the server's zone, and go whole where no other project has rows in them", async () => {
    const { store, database } = await open();
    await fourDays(store, "default");
    await store.settle();
    expect(await partitions(database)).toEqual(["2026-11-20", "2026-11-21", "2026-11-22", "2026-11-23"]);
    expect(await store.retain("default", FIRST + 2 * DAY)).toBe(2 * 48);
    expect(await partitions(database)).toEqual(["2026-11-22", "2026-11-23"]);
    expect(await mutations(database)).toBe(0);
    expect(await store.retain("default", FIRST + 2 * DAY)).toBe(0);
    expect(await rowsOf(store)).toHaveLength(48);
  });

  test("of a day that is not wholly old, or not of one project, only the old rows of the project go", async () => {
    const { store, database } = await open();
    await fourDays(store, "default");
    await fourDays(store, "other");
    const since = FIRST + DAY + 6 * 3_600_000 + 1;
    expect(await store.retain("default", since)).toBe(2 * 31);
    expect((await rowsOf(store)).map((row) => row["seq"])).toEqual(
      Array.from({ length: 65 }, (_, index) => 2 * (31 + index) + 1),
    );
    expect(await rowsOf(store, { project: "other" })).toHaveLength(96);
    expect(await partitions(database)).toHaveLength(4);
    expect(await mutations(database)).toBeGreaterThan(0);
    // The last project's retention takes what is left of the day.
    expect(await store.retain("other", FIRST + DAY)).toBe(2 * 24);
    expect(await partitions(database)).toEqual(["2026-11-21", "2026-11-22", "2026-11-23"]);
  });

  test("an erased unit is gone from what is stored when the call ends, and its arm's count stays", async () => {
    const { store, database } = await open();
    await fourDays(store, "default");
    expect(await store.erase("default", "u3")).toBe(14);
    const left = await server().query(`select count() from ${database}.exposures where unit = 'u3'`);
    expect(left).toBe("0");
    expect(await rowsOf(store)).toHaveLength(82);
    expect(await store.ledger({ project: "default" })).toMatchObject([{ stored: 96 }]);
    expect(await store.erase("default", "u3")).toBe(0);
  });

  async function mutations(database: string): Promise<number> {
    return Number(await server().query(`select count() from system.mutations where database = '${database}'`));
  }
});
