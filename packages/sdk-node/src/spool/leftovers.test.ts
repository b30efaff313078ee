import { mkdir, readdir, rename, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DELIVERY_SETTINGS, type Platform } from "@belay/core/client";
import type { EventBatch } from "@belay/protocol";
import { tempDir } from "@belay/testkit";
import { describe, expect, it, onTestFinished } from "vitest";
import { eventFileName, OwnFolder } from "./folder.ts";
import { frame } from "./frame.ts";
import { LEFTOVER_LIMITS, type LeftoverLimits, Leftovers } from "./leftovers.ts";

const DAY_MS = 24 * 60 * 60_000;
const OWN = "3f0c1c54-0000-4000-8000-000000000001";

function eventsFile(instance: string, seqs: readonly number[], more: readonly object[] = []): Buffer {
  const lines = seqs.map((seq) => ({
    list: "exposures",
    event: { seq, timeMs: seq, flag: "f", variant: "a", experiment: "exp", epoch: 1, revision: 7, unit: `${instance}-${seq}` },
  }));
  return Buffer.concat([{ spool: 1, instance, sdk: "node/0.0.1" }, ...lines, ...more].map(frame));
}

/** Leftovers on a real disk, before a server that answers as told. */
async function leftoversOf(answer: (batch: EventBatch) => number, limits: Partial<LeftoverLimits> = {}) {
  const { path: origin, remove } = await tempDir("spool");
  const batches: EventBatch[] = [];
  const said: string[] = [];
  const post: Platform["transport"]["post"] = (_door, body, done) => {
    const batch = JSON.parse(body) as EventBatch;
    batches.push(batch);
    const status = answer(batch);
    const receipt = { accepted: batch.exposures?.length ?? 0, duplicates: 0, rejected: [] };
    const timer = setTimeout(() => done({ kind: "answered", status, text: JSON.stringify(receipt) }), 1);
    return () => clearTimeout(timer);
  };
  const platform: Platform = {
    clock: { now: () => 5_000, monotonic: () => performance.now() },
    timers: {
      set: (callback, afterMs) => {
        const timer = setTimeout(callback, afterMs < DAY_MS ? Math.min(afterMs, 20) : afterMs).unref();
        return () => clearTimeout(timer);
      },
    },
    random: () => 0,
    transport: { stream: () => () => {}, poll: () => () => {}, post },
  };
  const folder = new OwnFolder(origin, OWN);
  const leftovers = new Leftovers(
    folder,
    OWN,
    { platform, settings: DELIVERY_SETTINGS },
    { sent: (instance, events) => said.push(`sent ${events} of ${instance}`), lost: (detail) => said.push(detail) },
    { ...LEFTOVER_LIMITS, ...limits },
  );
  onTestFinished(async () => {
    await leftovers.close();
    await remove();
  });
  const put = async (instance: string, number: number, bytes: Buffer, ageMs = 0): Promise<void> => {
    const gone = join(origin, `${instance}.left`);
    await mkdir(gone, { recursive: true });
    // Put there in one step, as the claim of a folder does it: the one who looks again and again must not find half of it.
    const unfinished = `${origin}-${instance}-${number}.unfinished`;
    await writeFile(unfinished, bytes);
    await utimes(unfinished, new Date(Date.now() - ageMs), new Date(Date.now() - ageMs));
    await rename(unfinished, join(gone, eventFileName(instance, number)));
  };
  return { origin, folder, leftovers, batches, said, put };
}

const sentBy = (batches: readonly EventBatch[]): unknown[] =>
  batches.map(({ instance, sdk, exposures = [] }) => [instance, sdk, exposures.map(({ seq }) => seq)]);

describe("what others left", () => {
  it("is sent under their own names and numbers, without what was answered for, with the totals of their arms", async () => {
    const { origin, folder, leftovers, batches, said, put } = await leftoversOf(() => 202);
    const arms = [{ experiment: "exp", variant: "a", produced: 9, dropped: 4 }];
    await put("one", 1, eventsFile("one", [1, 2, 3], [{ answered: 2 }, { arms }]));
    await put("one", 2, eventsFile("one", [4, 5]));
    await put("two", 1, eventsFile("two", [8]));
    leftovers.start();
    await expect.poll(() => said).toEqual(["sent 3 of one", "sent 1 of two"]);
    expect(sentBy(batches)).toEqual([
      ["one", "node/0.0.1", [3, 4, 5]],
      ["two", "node/0.0.1", [8]],
    ]);
    expect(batches[0]?.ledger).toEqual([{ experiment: "exp", variant: "a", produced: 11, dropped: 4 }]);
    expect(batches.map(({ batchId }) => batchId)).toEqual(["one-3f0c1c54-1", "two-3f0c1c54-1"]);
    await leftovers.close();
    await folder.leave(true);
    expect(await readdir(origin)).toEqual([]);
  });

  it("is tried until it is answered for, and stays for the next one when this one closes first", async () => {
    const { origin, folder, leftovers, batches, said, put } = await leftoversOf(() => 503);
    await put("one", 1, eventsFile("one", [1, 2]));
    leftovers.start();
    await expect.poll(() => batches.length).toBeGreaterThanOrEqual(3);
    await leftovers.close();
    await folder.leave(true);
    expect(said).toEqual([]);
    expect(await readdir(origin)).toEqual([`${OWN}.left`]);
    const next = new OwnFolder(origin, "next");
    expect((await next.claim()).map((path) => path.slice(-17))).toEqual(["one-000001.events"]);
    await next.leave(false);
  });

  it("is looked for again and again", async () => {
    const { leftovers, said, put } = await leftoversOf(() => 202, { lookAgainMs: 10 });
    leftovers.start();
    await new Promise((resolve) => setTimeout(resolve, 30));
    await put("one", 1, eventsFile("one", [1]));
    await expect.poll(() => said).toEqual(["sent 1 of one"]);
  });

  it("that a server refuses for good is given up and said, and does not block the next", async () => {
    const { leftovers, said, put } = await leftoversOf(({ instance }) => (instance === "one" ? 422 : 202));
    await put("one", 1, eventsFile("one", [1, 2]));
    await put("two", 1, eventsFile("two", [1]));
    leftovers.start();
    await expect.poll(() => said).toEqual(["events of instance one given up (refused): 2", "sent 1 of two"]);
  });

  it("older than six days, or beyond the bound, is removed and said: the oldest first", async () => {
    const bytes = eventsFile("one", [1]).length;
    const { leftovers, said, put, batches } = await leftoversOf(() => 202, { bytes: 2 * bytes + 10 });
    await put("old", 1, eventsFile("old", [1]), 6 * DAY_MS + 60_000);
    for (const [age, instance] of ["one", "two", "six"].entries())
      await put(instance, 1, eventsFile(instance, [1]), age * 60_000);
    leftovers.start();
    await expect
      .poll(() => said)
      .toEqual(["files of left events removed, too old or too much together: 2", "sent 1 of one", "sent 1 of two"]);
    expect(batches).toHaveLength(2);
  });

  it("of which nothing can be read is removed and said; an empty file is nobody's loss", async () => {
    const { leftovers, said, put } = await leftoversOf(() => 202);
    await put("blank", 1, Buffer.alloc(0));
    await put("torn", 1, eventsFile("torn", [1]).subarray(0, 20));
    const bytes = eventsFile("worn", [1, 2, 3]);
    bytes[bytes.indexOf("worn-2")] = 0;
    await put("worn", 1, bytes);
    leftovers.start();
    await expect
      .poll(() => said)
      .toEqual([
        "files of instance torn that do not say who wrote them: 1",
        "damaged lines of instance worn: 1",
        "sent 2 of worn",
      ]);
  });
});
