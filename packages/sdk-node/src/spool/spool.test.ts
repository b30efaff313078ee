import { readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { NumberedEvent } from "@belay/core/client";
import type { ArmLedger } from "@belay/protocol";
import { tempDir } from "@belay/testkit";
import { describe, expect, it, onTestFinished } from "vitest";
import { OwnFolder } from "./folder.ts";
import { type Left, readLeft } from "./left.ts";
import { SPOOL_LIMITS, Spool, type SpoolLimits } from "./spool.ts";

const HEAD = { spool: 1, instance: "3f0c1c54-0000-4000-8000-000000000001", sdk: "node/test" } as const;

function exposure(seq: number, variant = "a", unit = `user-${seq}`): NumberedEvent {
  const event = { seq, timeMs: 1_000 + seq, flag: "pricing", variant, experiment: "exp", epoch: 1, revision: 7, unit };
  return { list: "exposures", event };
}

/** A spool with totals as a ledger would give them. */
async function spoolIn(limits: Partial<SpoolLimits> = {}, blocked = false) {
  const { path: origin, remove } = await tempDir("spool");
  onTestFinished(remove);
  const folder = new OwnFolder(origin, HEAD.instance);
  if (blocked) await writeFile(folder.path, "a file where the folder should be");
  const said: string[] = [];
  const arms = new Map<string, { produced: number; dropped: number }>();
  const spool = new Spool(folder, HEAD, (detail) => said.push(detail), { ...SPOOL_LIMITS, ...limits });
  spool.open(() => [...arms].map(([variant, totals]): ArmLedger => ({ experiment: "exp", variant, ...totals })));
  const keep = (seq: number, variant = "a"): boolean => {
    const totals = arms.get(variant) ?? { produced: 0, dropped: 0 };
    arms.set(variant, { ...totals, produced: totals.produced + 1 });
    return spool.keep(exposure(seq, variant));
  };
  const files = async (): Promise<string[]> => {
    const names = await readdir(folder.path).catch(() => []);
    return names
      .filter((name) => name.endsWith(".events"))
      .sort()
      .map((name) => join(folder.path, name));
  };
  /** What a process would find that came after this one was killed now. */
  // Files may be removed between the two steps.
  const left = async (): Promise<Left | undefined> => readLeft(await files()).catch(() => undefined);
  return { origin, folder, spool, said, arms, keep, files, left };
}

const seqs = (left: Left | undefined): number[] => left?.events.map(({ event }) => event.seq) ?? [];
/** 0 where it was removed meanwhile. */
const sizeOf = (file: string): Promise<number> =>
  stat(file).then(
    ({ size }) => size,
    () => 0,
  );

const written = (spool: Spool, count: number) => expect.poll(() => spool.spooled, { interval: 1 }).toBe(count);

describe("a spool", () => {
  it("has every event of a turn on disk soon after it, with its content and the totals of its arms", async () => {
    const { spool, keep, left } = await spoolIn();
    for (let seq = 1; seq <= 250; seq += 1) expect(keep(seq, seq % 5 === 0 ? "b" : "a")).toBe(true);
    await written(spool, 250);
    const found = await left();
    expect(found).toMatchObject({ instance: HEAD.instance, sdk: HEAD.sdk, damaged: 0 });
    expect(seqs(found)).toEqual(Array.from({ length: 250 }, (_, at) => at + 1));
    expect(found?.events[0]).toEqual(exposure(1));
    expect(found?.arms).toEqual([
      { experiment: "exp", variant: "a", produced: 200, dropped: 0 },
      { experiment: "exp", variant: "b", produced: 50, dropped: 0 },
    ]);
  });

  it("makes no folder while there is no event, and leaves none when all were answered for", async () => {
    const idle = await spoolIn();
    idle.spool.answered(0);
    await idle.spool.close();
    expect(await readdir(idle.origin)).toEqual([]);
    const { origin, spool, keep } = await spoolIn();
    keep(1);
    await written(spool, 1);
    spool.answered(1);
    await spool.close();
    expect(await readdir(origin)).toEqual([]);
  });

  it("leaves what was not answered for, and nothing that was", async () => {
    const { origin, spool, keep } = await spoolIn();
    for (let seq = 1; seq <= 10; seq += 1) keep(seq);
    spool.answered(6);
    await spool.close();
    expect(await readdir(origin)).toEqual([`${HEAD.instance}.left`]);
    const folder = join(origin, `${HEAD.instance}.left`);
    const files = (await readdir(folder)).filter((name) => name.endsWith(".events")).map((name) => join(folder, name));
    expect(seqs(await readLeft(files))).toEqual([7, 8, 9, 10]);
  });

  it("counts what was dropped and what came after it, in whatever order they were written", async () => {
    const { spool, keep, arms, left } = await spoolIn();
    for (let seq = 1; seq <= 4; seq += 1) {
      keep(seq);
      await written(spool, seq);
      const totals = arms.get("a") as { produced: number; dropped: number };
      arms.set("a", { produced: totals.produced + 1, dropped: totals.dropped + 1 });
      spool.counted();
    }
    await expect
      .poll(async () => (await left())?.arms, { interval: 1 })
      .toEqual([{ experiment: "exp", variant: "a", produced: 8, dropped: 4 }]);
  });

  it("removes files of which all was answered for: in 100,000 events there are never more than those that wait, and three files", async () => {
    const fileBytes = 64 * 1024;
    const { spool, keep, files, left } = await spoolIn({ fileBytes });
    let largest = 0;
    for (let seq = 1; seq <= 100_000; seq += 1) {
      keep(seq);
      if (seq % 500 !== 0) continue;
      await written(spool, seq);
      // The server is two batches behind, always: the spool is never empty.
      spool.answered(seq - 1_000);
      const sizes = await Promise.all((await files()).map(sizeOf));
      largest = Math.max(
        largest,
        sizes.reduce((sum, size) => sum + size, 0),
      );
    }
    const waiting = 1_500 * 160;
    expect(largest).toBeLessThan(waiting + 3 * fileBytes + 500 * 200);
    await expect.poll(async () => seqs(await left()).length, { interval: 5 }).toBe(1_000);
  });

  it("totals outlive the files they were first written to", async () => {
    const { spool, keep, left } = await spoolIn({ fileBytes: 2_000 });
    for (let seq = 1; seq <= 500; seq += 1) {
      keep(seq);
      if (seq % 10 === 0) await written(spool, seq);
      if (seq % 10 === 0) spool.answered(seq - 5);
    }
    await expect.poll(async () => seqs(await left()), { interval: 5 }).toEqual([496, 497, 498, 499, 500]);
    expect((await left())?.arms).toEqual([{ experiment: "exp", variant: "a", produced: 500, dropped: 0 }]);
  });

  it("full, refuses the newest and says so; with room again it goes on", async () => {
    const { spool, keep, said } = await spoolIn({ bytes: 10_000, fileBytes: 1_000 });
    let kept = 0;
    while (keep(kept + 1)) kept += 1;
    expect(kept).toBeGreaterThan(40);
    expect(kept).toBeLessThan(70);
    expect(said).toEqual(["it is full; further events have only the memory"]);
    await written(spool, kept);
    spool.answered(kept);
    await expect.poll(() => spool.keep(exposure(kept + 2)), { interval: 5 }).toBe(true);
  });

  it("on a disk that cannot be written keeps what it was given, and writes it when it can", async () => {
    const { spool, folder, keep, said, left } = await spoolIn({ retryAfterMs: 20 }, true);
    for (let seq = 1; seq <= 20; seq += 1) keep(seq);
    await expect.poll(() => said.length).toBeGreaterThanOrEqual(1);
    expect(["EEXIST", "ENOTDIR"]).toContain(said[0]);
    expect(spool.spooled).toBe(0);
    await rm(folder.path);
    await written(spool, 20);
    expect(seqs(await left())).toEqual(Array.from({ length: 20 }, (_, at) => at + 1));
  });

  it("whose folder is taken away makes another, with numbers that go on", async () => {
    const { spool, folder, keep, left } = await spoolIn({ fileBytes: 500, retryAfterMs: 20 });
    keep(1);
    await written(spool, 1);
    await rm(folder.path, { recursive: true });
    for (let seq = 2; seq <= 9; seq += 1) {
      keep(seq);
      await written(spool, seq);
    }
    expect(seqs(await left()).at(-1)).toBe(9);
  });

  it("saves at once what no write has taken yet", async () => {
    const { spool, keep, left } = await spoolIn();
    for (let seq = 1; seq <= 30; seq += 1) keep(seq);
    spool.saveNow();
    const found = await left();
    expect(seqs(found)).toEqual(Array.from({ length: 30 }, (_, at) => at + 1));
    expect(found?.arms).toEqual([{ experiment: "exp", variant: "a", produced: 30, dropped: 0 }]);
  });

  it("with a torn tail, at any byte, gives back every event before it", async () => {
    const { origin, spool, keep, files } = await spoolIn();
    for (let seq = 1; seq <= 5; seq += 1) keep(seq);
    await written(spool, 5);
    const bytes = await readFile((await files())[0] as string);
    const torn = join(origin, "torn-000001.events");
    const found: number[] = [];
    for (let cut = 0; cut <= bytes.length; cut += 7) {
      await writeFile(torn, bytes.subarray(0, cut));
      const left = seqs(await readLeft([torn]));
      expect(left).toEqual([1, 2, 3, 4, 5].slice(0, left.length));
      found.push(left.length);
    }
    expect(found).toEqual([...found].sort((a, b) => a - b));
    expect(found.at(-1)).toBe(5);
  });
});
