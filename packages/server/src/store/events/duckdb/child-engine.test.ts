import { join } from "node:path";
import { tempDir } from "@belay/testkit";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { eventStoreContract, rowsOf } from "../event-store.contract.ts";
import { batchOf, exposureOf } from "../events.fixture.ts";
import { openEventStore } from "../index.ts";
import { SpooledStore } from "../spooled-store.ts";
import { ChildEngine } from "./child-engine.ts";

let directory: string;
let remove: () => Promise<void>;
let engine: ChildEngine;
let store: SpooledStore;

beforeEach(async () => {
  const folder = await tempDir("child");
  directory = folder.path;
  remove = folder.remove;
  await open();
});
afterEach(async () => {
  await store.close();
  await remove();
});

async function open(idleMs = 60_000, hangMs = 15_000): Promise<void> {
  const spoolDirectory = join(directory, "spool");
  engine = new ChildEngine({ directory: join(directory, "duckdb"), spoolDirectory, idleMs, hangMs });
  const common = { segmentBytes: 2 ** 24, segmentAgeMs: 60_000, spoolBytesMax: 2 ** 30, now: Date.now, log: () => undefined };
  store = await SpooledStore.open({ ...common, directory: spoolDirectory, engine });
}

const ten = (round: number) =>
  batchOf({ exposures: Array.from({ length: 10 }, (_, index) => exposureOf(10 * round + index + 1)) });
const seqs = async () => (await rowsOf(store)).map((row) => row["seq"]);
const upTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1);

test("the process starts with the first segment or pull, not before", async () => {
  expect(engine.pid).toBeUndefined();
  await store.append(ten(0));
  expect(engine.pid).toBeUndefined();
  expect(await store.settle()).toBe(0);
  expect(engine.pid).toBeGreaterThan(0);
});

test("killed 10 times while segments are loaded and read: every event is there once", async () => {
  for (let round = 0; round < 10; round += 1) {
    await store.append(ten(round));
    const settled = store.settle(15_000);
    if (engine.pid !== undefined) process.kill(engine.pid, "SIGKILL");
    expect(await settled).toBe(0);
  }
  expect(await seqs()).toEqual(upTo(100));
});

test("a pull goes on over the death of the process, with nothing lost or twice", async () => {
  const exposures = upTo(20_000).map((seq) => exposureOf(seq));
  await store.append(batchOf({ exposures }));
  expect(await store.settle(60_000)).toBe(0);
  const { pages } = await store.pull({ kind: "exposures", project: "default", format: "ndjson" });
  let text = "";
  let kills = 0;
  for await (const page of pages) {
    text += Buffer.from(page).toString();
    if (engine.pid !== undefined && kills < 3) {
      process.kill(engine.pid, "SIGKILL");
      kills += 1;
    }
  }
  expect(kills).toBe(3);
  const read = text.split("\n").flatMap((line) => (line === "" ? [] : [(JSON.parse(line) as { seq: number }).seq]));
  expect(read).toEqual(upTo(20_000));
});

test("an idle process is ended, and the next pull starts another", async () => {
  await store.close();
  await open(50);
  await store.append(ten(0));
  expect(await seqs()).toEqual(upTo(10));
  await vi.waitFor(() => expect(engine.pid).toBeUndefined(), { timeout: 5_000 });
  await store.append(ten(1));
  expect(await seqs()).toEqual(upTo(20));
});

test("fault 53: a process that hangs delays no acknowledgement; it is replaced, and every event is there once", async () => {
  await store.close();
  await open(60_000, 1_000);
  await store.append(ten(0));
  expect(await store.settle()).toBe(0);
  const hung = engine.pid as number;
  process.kill(hung, "SIGSTOP");
  const settled = store.settle(15_000);
  const waitsMs: number[] = [];
  for (let round = 1; round <= 50; round += 1) {
    const sinceMs = performance.now();
    await store.append(ten(round));
    waitsMs.push(performance.now() - sinceMs);
  }
  // Far below the time it took to notice: nobody waited for it.
  expect(Math.max(...waitsMs)).toBeLessThan(900);
  expect(await settled).toBe(0);
  expect(engine.pid).not.toBe(hung);
  expect(await seqs()).toEqual(upTo(510));
  expect(() => process.kill(hung, 0)).toThrow("ESRCH");
});

test("a process that is busy is left to work: 200,000 events loaded and counted by the one that was there", async () => {
  await store.close();
  await open(60_000, 1_000);
  await store.append(ten(0));
  expect(await store.settle(15_000)).toBe(0);
  const { pid } = engine;
  await store.append(batchOf({ instance: "many", exposures: upTo(200_000).map((seq) => exposureOf(seq)) }));
  expect(await store.settle(30_000)).toBe(0);
  expect((await store.estimate({ kind: "exposures", project: "default" })).rows).toBe(200_010);
  expect(engine.pid).toBe(pid);
});

test("while another process holds the file nothing is lost: reads are refused in words, and it goes on when the file is free", async () => {
  const holder = new ChildEngine({
    directory: join(directory, "duckdb"),
    spoolDirectory: join(directory, "spool"),
    idleMs: 60_000,
  });
  expect(await holder.extent({ kind: "exposures", project: "default" })).toEqual({ rows: 0 });
  expect(await store.append(ten(0))).toEqual({ accepted: 10, duplicates: 0 });
  void store.settle();
  await vi.waitFor(() => expect(String(store.status().fault)).toContain("could not be opened"), { timeout: 10_000 });
  expect(await store.settle(50)).toBeGreaterThan(0);
  await holder.close();
  expect(await store.settle(15_000)).toBe(0);
  expect(store.status().fault).toBeUndefined();
  expect(await seqs()).toEqual(upTo(10));
});

eventStoreContract("spool and DuckDB in a process of its own", async () => {
  const folder = await tempDir("events");
  return { open: () => openEventStore({ directory: folder.path, segmentAgeMs: 50 }), clear: folder.remove };
});
