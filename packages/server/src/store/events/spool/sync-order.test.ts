import type { FileHandle } from "node:fs/promises";
import { basename, join } from "node:path";
import { tempDir } from "@belay/testkit";
import { expect, test, vi } from "vitest";
import { Received } from "../received.ts";
import { Spool, type SpoolOptions } from "./spool.ts";

/** What the spool asked of the disk, in order: an operation and the name it was asked for. */
const asked: string[] = [];

vi.mock("node:fs/promises", async (original) => {
  const fs = await original<typeof import("node:fs/promises")>();
  const watched = async (...request: Parameters<typeof fs.open>): Promise<FileHandle> => {
    const file = await fs.open(...request);
    const name = basename(String(request[0]));
    if (request[1] === "wx") asked.push(`make ${name}`);
    for (const operation of ["sync", "datasync", "writev"] as const) {
      const original = file[operation] as (...args: unknown[]) => Promise<unknown>;
      Object.assign(file, {
        [operation]: (...args: unknown[]) => {
          asked.push(`${operation} ${name}`);
          return original.apply(file, args);
        },
      });
    }
    return file;
  };
  return { ...fs, open: watched };
});

test("a write is acknowledged after the folder with the segment's name was synced, and the segment after its bytes", async () => {
  const folder = await tempDir("sync-order");
  const directory = join(folder.path, "events", "spool");
  const options: SpoolOptions = {
    ...{ directory, segmentBytes: 1_000_000, segmentAgeMs: 60_000, bytesMax: 1_000_000_000 },
    ...{ received: new Received(), now: Date.now, onSealed: () => undefined },
  };
  const spool = await Spool.open(options);
  // The folder itself has a name too, and so has the one it is in.
  expect(asked.filter((one) => one.startsWith("sync"))).toEqual([`sync ${basename(folder.path)}`, "sync events", "sync spool"]);
  asked.length = 0;
  const write = (text: string): Promise<void> =>
    spool.append({
      frames: [Buffer.from(text)],
      keep: () => ({ instance: "i", seenAtMs: 1, seqs: [], batches: [] }),
      giveBack: () => undefined,
    });
  await write("one\n");
  const segment = "000000000001.ndjson";
  expect(asked).toEqual([`make ${segment}`, `sync ${basename(directory)}`, `writev ${segment}`, `datasync ${segment}`]);
  asked.length = 0;
  await write("two\n");
  expect(asked).toEqual([`writev ${segment}`, `datasync ${segment}`]);
  await spool.close();
  await folder.remove();
});
