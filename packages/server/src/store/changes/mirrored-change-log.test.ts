import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TempDir, tempDir } from "@belay/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ProblemError } from "../../http/problem.ts";
import { changeLogContract } from "./change-log.contract.ts";
import type { ChangeLog, Kept } from "./change-log.ts";
import { openChangeLog } from "./index.ts";
import { readMirror, writeMirror } from "./mirror-file.ts";
import { MirroredChangeLog } from "./mirrored-change-log.ts";

changeLogContract("mirrored", async () => {
  const dir = await tempDir("mirror");
  const options = { file: join(dir.path, "mirror.json"), onFault: () => undefined };
  return {
    open: async () => new MirroredChangeLog(await openChangeLog(join(dir.path, "changes.db")), options),
    remove: dir.remove,
  };
});

describe("the mirror", () => {
  let dir: TempDir;
  let file: string;
  beforeEach(async () => {
    dir = await tempDir("mirror");
    file = join(dir.path, "mirror", "mirror.json");
  });
  afterEach(() => dir.remove());

  const kept: Kept = {
    position: 2,
    streams: [{ project: "shop", revision: 2 }],
    documents: [{ kind: "flag", project: "shop", key: "__proto__", revision: 2, body: { nul: "\u0000", lone: "\ud800" } }],
  };
  const AWAY = new ProblemError("store_unavailable", { store: "The change log", reason: "ECONNREFUSED", retryAfterS: 1 });
  const away = { load: () => Promise.reject(AWAY), close: async () => undefined } as unknown as ChangeLog;

  it("is what a start reads while the log is away; another failure is not hidden by it", async () => {
    await writeMirror(file, kept);
    const faults: unknown[] = [];
    const log = new MirroredChangeLog(away, { file, onFault: (error) => faults.push(error) });
    expect(await log.load()).toEqual(kept);
    expect(faults).toEqual([AWAY]);
    const newer = { load: () => Promise.reject(new Error("newer version")) } as unknown as ChangeLog;
    await expect(new MirroredChangeLog(newer, { file, onFault: () => undefined }).load()).rejects.toThrow("newer version");
    const nowhere = new MirroredChangeLog(away, { file: `${file}.none`, onFault: () => undefined });
    await expect(nowhere.load()).rejects.toBe(AWAY);
  });

  it("follows the log: 200 changes that come together are written in a few files, the last one whole", async () => {
    let written = 0;
    const state = { position: 0 };
    const live = {
      load: async () => {
        written += 1;
        return { ...kept, position: state.position };
      },
      commit: async () => ({ status: "committed", id: ++state.position }),
      close: async () => undefined,
    } as unknown as ChangeLog;
    const log = new MirroredChangeLog(live, { file, onFault: () => undefined, delayMs: 20 });
    for (let at = 0; at < 200; at++) await log.commit({ raises: [], documents: [] } as never);
    await log.close();
    expect((await readMirror(file))?.position).toBe(200);
    expect(written).toBeLessThan(100);
  });

  it("is what a start reads where the log lacks what it holds or is another one, and no other log takes its place", async () => {
    const last = { first: "1 a", last: "2 b" };
    await writeMirror(file, { ...kept, marks: last });
    const now: Kept = { position: 2, streams: [], documents: [] };
    const start = async (marks: readonly string[]) => {
      const first = marks[0] === undefined ? {} : { marks: { first: marks[0], last: marks.at(-1) ?? "" } };
      const log = {
        load: async () => ({ ...now, ...first }),
        markOf: async (id: number) => marks[id - 1],
        entriesAfter: async () => [{ id: 3, raised: [], documents: [] }],
        close: async () => undefined,
      } as unknown as ChangeLog;
      const mirrored = new MirroredChangeLog(log, { file, onFault: () => undefined, delayMs: 1 });
      const started = await mirrored.load();
      await mirrored.entriesAfter(2, 10);
      await mirrored.close();
      return { startedFromMirror: started.streams.length > 0, marks: (await readMirror(file))?.marks };
    };
    expect(await start([])).toEqual({ startedFromMirror: true, marks: last });
    expect(await start(["9 z", "9 y", "9 x"])).toEqual({ startedFromMirror: true, marks: last });
    // One that was set back is followed from there, and mirrored.
    expect(await start(["1 a"])).toEqual({ startedFromMirror: true, marks: { first: "1 a", last: "1 a" } });
    await writeMirror(file, { ...kept, marks: last });
    expect(await start(["1 a", "2 b", "3 c"])).toEqual({ startedFromMirror: false, marks: { first: "1 a", last: "3 c" } });
  });

  it("that is cut at any byte, edited or of another format is passed over; nobody else may read it", async () => {
    await writeMirror(file, kept);
    const whole = await readFile(file);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    for (let length = 0; length < whole.length; length++) {
      await writeFile(file, whole.subarray(0, length));
      expect(await readMirror(file)).toBeUndefined();
    }
    await writeFile(file, whole.toString().replace("shop", "shed"));
    expect(await readMirror(file)).toBeUndefined();
    await writeFile(file, '{"format":2}');
    expect(await readMirror(file)).toBeUndefined();
    await writeFile(file, whole);
    expect(await readMirror(file)).toEqual(kept);
    expect(await readdir(join(dir.path, "mirror"))).toEqual(["mirror.json"]);
  });
});
