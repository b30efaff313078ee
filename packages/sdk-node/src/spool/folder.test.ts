import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, readFile, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { tempDir } from "@belay/testkit";
import { describe, expect, it, onTestFinished } from "vitest";
import { eventFileName, OwnFolder } from "./folder.ts";
import { LEASE, type Owner, thisProcess } from "./owner.ts";

async function originOf(): Promise<string> {
  const { path, remove } = await tempDir("spool");
  onTestFinished(remove);
  return path;
}

/** A folder with one file of events, as its owner would have left it. */
async function leave(origin: string, instance: string, owner: Owner | string | undefined, untouchedMs = 0): Promise<void> {
  await mkdir(join(origin, instance), { recursive: true });
  await writeFile(join(origin, instance, eventFileName(instance.replace(".left", ""), 1)), "x");
  if (owner === undefined) return;
  const path = join(origin, instance, "owner.json");
  await writeFile(path, typeof owner === "string" ? owner : JSON.stringify(owner));
  const touched = new Date(Date.now() - untouchedMs);
  await utimes(path, touched, touched);
}

/** Another process, alive until the test ends it. */
async function otherProcess(): Promise<{ child: ChildProcess; owner: Owner }> {
  const child = spawn(process.execPath, ["--eval", "setInterval(() => {}, 1000); console.log(1)"], { stdio: "pipe" });
  onTestFinished(() => void child.kill("SIGKILL"));
  await once(child.stdout, "data");
  const stat = await readFile(`/proc/${child.pid}/stat`, "latin1");
  const started = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] as string;
  return { child, owner: { ...thisProcess(), pid: child.pid as number, started } };
}

const names = async (folder: OwnFolder): Promise<string[]> => (await folder.claim()).map((path) => path.split("/").at(-1) ?? "");

describe("a folder of the spool", () => {
  it("is taken from no process that lives, frozen or not, and at once from one that was killed", async () => {
    const origin = await originOf();
    const { child, owner } = await otherProcess();
    // Long untouched: on the same machine the kernel knows better.
    await leave(origin, "other", owner, 10 * LEASE.expiredMs);
    child.kill("SIGSTOP");
    const own = new OwnFolder(origin, "own");
    expect(await names(own)).toEqual([]);
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(await names(own)).toEqual(["other-000001.events"]);
  });

  it("is not kept by a later process that was given the same id", async () => {
    const origin = await originOf();
    await leave(origin, "other", { ...thisProcess(), started: "1" });
    expect(await names(new OwnFolder(origin, "own"))).toEqual(["other-000001.events"]);
  });

  it("of another machine is taken a minute after it was last touched", async () => {
    const origin = await originOf();
    const elsewhere = { ...thisProcess(), machine: "elsewhere" };
    await leave(origin, "fresh", elsewhere, LEASE.expiredMs - 5_000);
    await leave(origin, "expired", elsewhere, LEASE.expiredMs + 5_000);
    await leave(origin, "unreadable", "{", LEASE.expiredMs + 5_000);
    await leave(origin, "nobody", undefined);
    expect(await names(new OwnFolder(origin, "own"))).toEqual(["expired-000001.events", "unreadable-000001.events"]);
  });

  it("that was left in good order is free at once", async () => {
    const origin = await originOf();
    const first = new OwnFolder(origin, "first");
    await first.make();
    await writeFile(join(first.path, eventFileName("first", 1)), "x");
    await first.leave(false);
    expect(await names(new OwnFolder(origin, "own"))).toEqual(["first-000001.events"]);
  });

  it("is gone when it is left with nothing in it", async () => {
    const origin = await originOf();
    const own = new OwnFolder(origin, "own");
    await own.make();
    await own.leave(true);
    expect(await readdir(origin)).toEqual([]);
  });

  it("goes to one of ten who want it, whole, with what its owner had taken from others", async () => {
    const origin = await originOf();
    for (let turn = 0; turn < 20; turn += 1) {
      await leave(origin, `dead-${turn}`, { ...thisProcess(), started: "1" });
      await leave(join(origin, `dead-${turn}`), `earlier-${turn}`, undefined);
    }
    const claimants = Array.from({ length: 10 }, (_, n) => new OwnFolder(origin, `own-${n}`));
    const claimed = await Promise.all(claimants.map(names));
    expect(claimed.flat().sort()).toEqual(
      Array.from({ length: 20 }, (_, turn) => [`dead-${turn}-000001.events`, `earlier-${turn}-000001.events`])
        .flat()
        .sort(),
    );
    for (const files of claimed) {
      for (const name of files.filter((file) => file.startsWith("dead")))
        expect(files).toContain(name.replace("dead", "earlier"));
    }
    await Promise.all(claimants.map((folder) => folder.leave(false)));
  });
});
