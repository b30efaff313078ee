import { execFileSync } from "node:child_process";
import { appendFile, cp, readdir, readFile, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { seeded, tempDir } from "@belay/testkit";
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { type Engine, EngineAway, type LoadableSegment } from "./engine.ts";
import { batchOf, exposureOf } from "./events.fixture.ts";
import type { BatchFrame } from "./spool/batch-frame.ts";
import { scanFrames } from "./spool/frame.ts";
import { SegmentFile } from "./spool/segment-file.ts";
import { SpooledStore, type SpooledStoreOptions } from "./spooled-store.ts";

/** An engine of lists: what it loaded, and a switch for being away. It reads segments as any engine does. */
class ListEngine implements Engine {
  readonly ids: string[] = [];
  readonly #segments = new Set<string>();
  isAway = false;

  async load(segments: readonly LoadableSegment[]): Promise<void> {
    if (this.isAway) throw new EngineAway("the engine is away");
    for (const segment of segments) await this.#load(segment);
  }

  async #load({ spool, number, path }: LoadableSegment): Promise<void> {
    if (this.#segments.has(`${spool}/${number}`)) return;
    for (const line of (await readFile(path, "utf8")).split("\n").slice(0, -1)) {
      const { frame } = JSON.parse(line) as { frame: BatchFrame };
      this.ids.push(...(frame.exposures?.seq ?? []).map((seq) => `${frame.instance}-${seq}`));
    }
    this.#segments.add(`${spool}/${number}`);
  }

  extent = async () => ({ rows: this.ids.length });
  page = async () => ({ bytes: new Uint8Array(0), rows: 0 });
  document = async () => ({ bytes: new Uint8Array(0), rows: 0 });
  print = () => ({ dialect: "duckdb", sql: "" }) as const;
  ledger = async () => [];
  aggregate = async () => ({ arms: [], outcomes: [], quantiles: [] });
  pairs = async () => [];
  retain = async () => 0;
  erase = async () => 0;
  close = async () => undefined;
}

let directory: string;
let engine: ListEngine;
let remove: () => Promise<void>;

beforeEach(async () => {
  const folder = await tempDir("spool");
  directory = join(folder.path, "spool");
  remove = folder.remove;
  engine = new ListEngine();
});
afterEach(() => remove());

function open(over: Partial<SpooledStoreOptions> = {}): Promise<SpooledStore> {
  const options = { segmentBytes: 2 ** 24, segmentAgeMs: 60_000, spoolBytesMax: 2 ** 30, now: Date.now, log: () => undefined };
  return SpooledStore.open({ directory, engine, ...options, ...over });
}

const one = (seq: number, instance = "run") => batchOf({ instance, exposures: [exposureOf(seq)] });
const segments = async () => (await readdir(directory)).filter((name) => /^\d+\.ndjson$/.test(name)).sort();

/** Leaves in the folder what a crash would: the files as they are on the disk now, of a store whose engine is away. */
async function crash(store: SpooledStore): Promise<void> {
  await store.settle(1);
  const left = `${directory}-left`;
  await cp(directory, left, { recursive: true });
  await store.close();
  directory = left;
}

describe("acknowledgement", () => {
  test("1,000 batches that arrive together share a few syncs, and segments end at their size", async () => {
    const store = await open({ segmentBytes: 100_000 });
    const append = vi.spyOn(SegmentFile.prototype, "append");
    onTestFinished(() => append.mockRestore());
    const receipts = await Promise.all(Array.from({ length: 1_000 }, (_, index) => store.append(one(index + 1))));
    expect(receipts.filter(({ accepted }) => accepted === 1)).toHaveLength(1_000);
    expect(append.mock.calls.length).toBeLessThanOrEqual(5);
    await store.close();
    expect(engine.ids.length + (await framesLeft())).toBe(1_000);
  });

  test("a batch is not acknowledged before the sync ends, nor a copy of it", async () => {
    const store = await open();
    const release = holdSyncs();
    const settled: string[] = [];
    const first = store.append(one(1)).then(() => settled.push("first"));
    await new Promise((resolve) => setTimeout(resolve, 20));
    const copy = store.append(one(1)).then(({ duplicates }) => settled.push(`copy ${duplicates}`));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(settled).toEqual([]);
    release();
    await Promise.all([first, copy]);
    expect(settled).toEqual(["first", "copy 1"]);
    await store.close();
  });

  test("when the write fails, a copy that waited for it is refused as well, and either may come again", async () => {
    const store = await open();
    const append = vi.spyOn(SegmentFile.prototype, "append").mockImplementationOnce(async () => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      throw Object.assign(new Error("no space"), { code: "ENOSPC" });
    });
    onTestFinished(() => append.mockRestore());
    const first = store.append(one(1));
    await new Promise((resolve) => setTimeout(resolve, 5));
    const copy = store.append(one(1));
    const outcomes = await Promise.allSettled([first, copy]);
    expect(outcomes.map((outcome) => outcome.status === "rejected" && (outcome.reason as { code: string }).code)).toEqual([
      "disk_full",
      "disk_full",
    ]);
    expect(await store.append(one(1))).toEqual({ accepted: 1, duplicates: 0 });
    await store.settle();
    expect(engine.ids).toEqual(["run-1"]);
    await store.close();
  });

  test("100,000 events in 31 seeded interleavings of sending, repeating, sealing and failing: each acknowledged one once", async () => {
    for (let seed = 1; seed <= 31; seed += 1) {
      engine = new ListEngine();
      const store = await open({ directory: join(directory, String(seed)), segmentBytes: 20_000 });
      await interleave(store, seed);
      await store.settle();
      expect(new Set(engine.ids).size, `seed ${seed}`).toBe(engine.ids.length);
      expect(engine.ids.length, `seed ${seed}`).toBe(3_230);
      await store.close();
    }
  });

  /** 3,230 events of 3 instances, batches overlapping, every 7th write failing, until all are acknowledged. */
  async function interleave(store: SpooledStore, seed: number): Promise<void> {
    const dice = seeded(seed);
    const real = SegmentFile.prototype.append;
    let writes = 0;
    const append = vi.spyOn(SegmentFile.prototype, "append").mockImplementation(function (this: SegmentFile, buffers) {
      writes += 1;
      if (writes % 7 === 0) return Promise.reject(Object.assign(new Error("no space"), { code: "ENOSPC" }));
      return real.call(this, buffers);
    });
    const waiting = ["a", "b", "c"].flatMap((instance, which) => {
      const events = which === 0 ? 1_230 : 1_000;
      return Array.from({ length: events / 10 }, (_, index) => {
        const exposures = Array.from({ length: Math.min(15, events - 10 * index) }, (__, offset) =>
          exposureOf(10 * index + offset + 1),
        );
        return batchOf({ instance, exposures });
      });
    });
    const send = async (batch: (typeof waiting)[number]): Promise<void> => {
      for (;;) {
        if (dice.below(4) === 0) await new Promise((resolve) => setImmediate(resolve));
        if (dice.below(40) === 0) void store.settle(1);
        const isTaken = await store.append(batch).then(
          () => true,
          () => false,
        );
        if (isTaken && dice.below(5) > 0) return;
      }
    };
    await Promise.all(dice.shuffled(waiting).map(send));
    append.mockRestore();
  }
});

describe("a full spool", () => {
  test("fault 53: refuses with 503 and the time to wait while the engine is away, keeps what it has, and drains by itself", async () => {
    engine.isAway = true;
    const store = await open({ spoolBytesMax: 20_000, segmentBytes: 4_000 });
    let stored = 0;
    const refusal = (async () => {
      for (;;) {
        await store.append(one(stored + 1));
        stored += 1;
      }
    })();
    await expect(refusal).rejects.toMatchObject({ code: "spool_full", data: { limit: 20_000, retryAfterS: 5 } });
    expect(store.status().spoolBytes).toBeLessThan(24_000);
    expect(store.status().lagMs).toBeGreaterThanOrEqual(0);
    engine.isAway = false;
    expect(await store.settle()).toBe(0);
    expect(engine.ids).toHaveLength(stored);
    expect(await store.append(one(stored + 1))).toEqual({ accepted: 1, duplicates: 0 });
    await store.close();
  });

  test("a disk that hangs: 64 MiB wait in memory, more is refused with 503, and all that waited is stored when it goes on", async () => {
    const store = await open();
    const release = holdSyncs();
    const waiting: Promise<unknown>[] = [];
    const megabyte = (seq: number) => {
      const exposures = Array.from({ length: 256 }, (_, index) => exposureOf(256 * seq + index + 1, { unit: "x".repeat(4_000) }));
      return batchOf({ instance: "run", exposures });
    };
    const [first, ...rest] = Array.from({ length: 100 }, (_, index) => megabyte(index));
    if (first !== undefined) waiting.push(store.append(first));
    await new Promise((resolve) => setTimeout(resolve, 50));
    const refused: string[] = [];
    for (const batch of rest) waiting.push(store.append(batch).catch((error: { code: string }) => refused.push(error.code)));
    release();
    await Promise.all(waiting);
    await store.settle();
    expect(new Set(refused)).toEqual(new Set(["store_unavailable"]));
    expect(refused.length).toBeGreaterThan(25);
    expect(refused.length).toBeLessThan(45);
    expect(engine.ids).toHaveLength(256 * (100 - refused.length));
    await store.close();
  });

  test("fault 55: a disk of 2 MiB that is full: 507, nothing half-stored, and on again when there is room", async (context) => {
    if (process.getuid?.() !== 0) return context.skip("needs root: a small file system is mounted");
    const disk = await smallDisk("2m");
    engine.isAway = true;
    const store = await open({ directory: join(disk, "spool"), segmentBytes: 300_000 });
    await writeFile(join(disk, "ballast"), Buffer.alloc(400_000));
    const acknowledged: number[] = [];
    const refusals = new Set<string>();
    const wide = (seq: number) => batchOf({ instance: "run", exposures: [exposureOf(seq, { unit: "x".repeat(4_000) })] });
    const send = async (seq: number): Promise<void> => {
      try {
        await store.append(wide(seq));
        acknowledged.push(seq);
      } catch (error) {
        refusals.add((error as { code: string }).code);
      }
    };
    for (let seq = 1; seq <= 600; seq += 4) await Promise.all([send(seq), send(seq + 1), send(seq + 2), send(seq + 3)]);
    expect([...refusals]).toEqual(["disk_full"]);
    expect(acknowledged.length).toBeGreaterThan(200);
    for (const name of await readdir(join(disk, "spool"))) {
      const bytes = await readFile(join(disk, "spool", name));
      expect(scanFrames(bytes).wholeBytes).toBe(bytes.length);
    }
    await truncate(join(disk, "ballast"), 0);
    engine.isAway = false;
    expect(await store.settle()).toBe(0);
    for (let seq = 1; seq <= 600; seq += 1)
      await store.append(wide(seq)).then(({ accepted }) => accepted && acknowledged.push(seq));
    expect(await store.settle()).toBe(0);
    expect(acknowledged).toHaveLength(600);
    expect(new Set(engine.ids).size).toBe(600);
    expect(engine.ids).toHaveLength(600);
    await store.close();
  });
});

describe("opening again", () => {
  test("a torn frame at the end is cut off; what was whole is loaded once and still known", async () => {
    engine.isAway = true;
    const store = await open();
    await Promise.all([1, 2, 3].map((seq) => store.append(one(seq))));
    await crash(store);
    const [name = ""] = await segments();
    await appendFile(join(directory, name), '{"crc":"00000000","frame":{"position":9,"exp');
    engine.isAway = false;
    const again = await open();
    expect(await again.append(batchOf({ instance: "run", exposures: [1, 2, 3, 4].map((seq) => exposureOf(seq)) }))).toEqual({
      accepted: 1,
      duplicates: 3,
    });
    await again.settle();
    expect(engine.ids).toEqual(["run-1", "run-2", "run-3", "run-4"]);
    expect(await segments()).toEqual([]);
    await again.close();
  });

  test("a line the disk damaged is set aside with its file, the lines around it are loaded", async () => {
    engine.isAway = true;
    const log = vi.fn();
    const store = await open();
    for (const seq of [1, 2, 3]) await store.append(one(seq));
    await crash(store);
    const [name = ""] = await segments();
    const path = join(directory, name);
    const bytes = await readFile(path);
    bytes[bytes.indexOf("user-2")] = "U".charCodeAt(0);
    await writeFile(path, bytes);
    engine.isAway = false;
    const again = await open({ log });
    await again.settle();
    expect(engine.ids).toEqual(["run-1", "run-3"]);
    expect(await readFile(`${path}.damaged`)).toEqual(bytes);
    await again.close();
  });

  test("the journal is summed up as it grows, and forgets nothing by it: 150 segments of 200 instances", async () => {
    let store = await open();
    const instances = Array.from({ length: 200 }, (_, index) => `instance-${index}`);
    for (let seq = 1; seq <= 150; seq += 1) {
      await Promise.all(instances.map((instance) => store.append(one(seq, instance))));
      await store.settle();
    }
    await store.close();
    // 150 entries of 20 kB, in a file that may grow to 1 MiB before it is summed up.
    expect((await stat(join(directory, "received.ndjson"))).size).toBeLessThan(1_200_000);
    store = await open();
    const receipts = await Promise.all(
      instances.map((instance) =>
        store.append(batchOf({ instance, exposures: [1, 75, 150, 151].map((seq) => exposureOf(seq)) })),
      ),
    );
    expect(receipts).toEqual(instances.map(() => ({ accepted: 1, duplicates: 3 })));
    await store.close();
  });

  test("an instance silent for 7 days is forgotten, one that is not is remembered", async () => {
    const day = 24 * 3_600_000;
    const store = await open();
    const at = (days: number, seq: number, instance: string) =>
      store.append(batchOf({ instance, receivedAtMs: days * day, exposures: [exposureOf(seq)] }));
    await at(1, 1, "old");
    await at(1, 1, "kept");
    await at(6, 2, "kept");
    await at(8.5, 1, "new");
    expect(store.status().instances).toBe(2);
    expect(await at(8.5, 1, "kept")).toEqual({ accepted: 0, duplicates: 1 });
    expect(await at(8.5, 1, "old")).toEqual({ accepted: 1, duplicates: 0 });
    await store.close();
  });
});

/** A file system of its own, gone after the test. */
async function smallDisk(size: string): Promise<string> {
  const { path, remove: removeMountPoint } = await tempDir("disk");
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", path]);
  onTestFinished(async () => {
    execFileSync("umount", ["-l", path]);
    await removeMountPoint();
  });
  return path;
}

/** Keeps every write from ending until it is released. */
function holdSyncs(): () => void {
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const real = SegmentFile.prototype.append;
  const append = vi.spyOn(SegmentFile.prototype, "append").mockImplementation(async function (this: SegmentFile, buffers) {
    await real.call(this, buffers);
    await held;
  });
  onTestFinished(() => append.mockRestore());
  return release;
}

async function framesLeft(): Promise<number> {
  let frames = 0;
  for (const name of await segments()) frames += scanFrames(await readFile(join(directory, name))).payloads.length;
  return frames;
}
