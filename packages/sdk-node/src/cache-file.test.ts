import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type SdkDoor, startSdkDoor, tempDir } from "@belay/testkit";
import { describe, expect, it, onTestFinished } from "vitest";
import { readCacheFile } from "./cache-file.ts";
import { testClient } from "./clients.fixture.ts";
import { changeOf, rollout, snapshotOf } from "./rules.fixture.ts";

const USER = { targetingKey: "user-42" };

async function placeOf(): Promise<{ door: SdkDoor; cacheFile: string; folder: string }> {
  const dir = await tempDir("sdk-cache");
  const door = await startSdkDoor({ snapshot: snapshotOf(7, { checkout: rollout(1_000_000) }) });
  onTestFinished(async () => {
    await door.stop().catch(() => {});
    await dir.remove();
  });
  return { door, folder: dir.path, cacheFile: join(dir.path, "deep", "rules.json") };
}

/** Runs a client once so that its cache file is there. */
async function warm(door: SdkDoor, cacheFile: string): Promise<string> {
  const { belay } = testClient({ url: door.url, cacheFile });
  await belay.ready();
  await belay.close();
  return readFile(cacheFile, "utf8");
}

describe("fault 14 and 23: the last known good rules on disk", () => {
  it("decide at once at the next start without a server, and say STALE", async () => {
    const { door, cacheFile } = await placeOf();
    await warm(door, cacheFile);
    await door.stop();
    const { belay, said } = testClient({ url: door.url, cacheFile });
    expect(belay.evaluate("checkout", USER, false)).toEqual({
      value: true,
      variant: "on",
      reason: "STALE",
      ruleId: "r1",
      revision: 7,
    });
    expect(await belay.ready({ timeoutMs: 50 })).toBe("stale");
    expect(said.filter((line) => line.includes("cache"))).toEqual([]);
  });

  it("hold what changes brought, and are nobody else's to read", async () => {
    const { door, cacheFile, folder } = await placeOf();
    const { belay } = testClient({ url: door.url, cacheFile });
    await belay.ready();
    door.publish(snapshotOf(8, {}), changeOf(8, { checkout: rollout(0), other: rollout(5) }));
    await expect.poll(() => belay.revision, { interval: 1 }).toBe(8);
    await belay.close();
    const document = JSON.parse(await readFile(cacheFile, "utf8"));
    expect(document.snapshot).toEqual(snapshotOf(8, { checkout: rollout(0), other: rollout(5) }));
    expect((await stat(cacheFile)).mode & 0o777).toBe(0o600);
    expect(await readdir(join(folder, "deep"))).toEqual(["rules.json"]);
    expect(await readFile(cacheFile, "utf8")).not.toContain("sdk-1");
  });

  it("cut at any of 200 places are not used, and written anew", async () => {
    const { door, cacheFile } = await placeOf();
    const whole = await warm(door, cacheFile);
    const origin = JSON.parse(whole).origin as string;
    for (let place = 0; place < 200; place += 1) {
      await writeFile(cacheFile, whole.slice(0, Math.floor((place / 200) * whole.length)));
      expect(readCacheFile(cacheFile, origin)).toBe("it is cut or damaged");
    }
    const { belay, said } = testClient({ url: door.url, cacheFile });
    expect(said).toEqual([`belay: the cache file ${cacheFile} is not used: it is cut or damaged; it will be written anew`]);
    await belay.ready();
    await belay.close();
    expect(await readFile(cacheFile, "utf8")).toBe(whole);
  });

  it.each([
    ["empty", () => "", "it is cut or damaged"],
    ["of a newer schema", (whole: string) => whole.replace('"cache":1', '"cache":2'), "it was written by another version"],
    [
      "of a newer snapshot format",
      (whole: string) => whole.replace('"format":1', '"format":9'),
      "its snapshot has format 9, which this version does not read",
    ],
    [
      "of another server or key",
      (whole: string) => whole.replace(/"origin":"./, '"origin":"-'),
      "it belongs to another server or key",
    ],
    ["null", () => "null", "it was written by another version"],
  ])("a file that is %s is not used, and starting succeeds without a server", async (_name, spoil, problem) => {
    const { door, cacheFile } = await placeOf();
    const whole = await warm(door, cacheFile);
    await writeFile(cacheFile, spoil(whole));
    await door.stop();
    const { belay, said } = testClient({ url: door.url, cacheFile });
    expect(belay.isEnabled("checkout", USER)).toBe(false);
    expect(belay.isEnabled("checkout", USER, true)).toBe(true);
    expect(said[0]).toContain(problem);
    await door.start();
    await expect.poll(() => belay.state, { timeout: 5_000 }).toBe("live");
    await belay.close();
    expect(await readFile(cacheFile, "utf8")).toBe(whole);
  });

  it("that cannot be written are said once, and nothing else suffers", async () => {
    const { door, folder } = await placeOf();
    await writeFile(join(folder, "file"), "");
    const { belay, said } = testClient({ url: door.url, cacheFile: join(folder, "file", "rules.json") });
    await belay.ready();
    expect(belay.isEnabled("checkout", USER)).toBe(true);
    await belay.close();
    expect(said.filter((line) => line.includes("cannot be written"))).toHaveLength(1);
  });
});
