import { existsSync } from "node:fs";
import { readdir, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { expect, it } from "vitest";
import { tempDir } from "./temp-dir.ts";

it("makes an empty folder named for its purpose, and removes it with what is in it", async () => {
  const dir = await tempDir("spool");
  expect(basename(dir.path)).toMatch(/^belay-spool-/);
  expect(await readdir(dir.path)).toEqual([]);
  await writeFile(join(dir.path, "left.txt"), "behind");
  await dir.remove();
  expect(existsSync(dir.path)).toBe(false);
  await expect(dir.remove()).resolves.toBeUndefined();
});

it("gives each caller another folder", async () => {
  const dirs = await Promise.all(Array.from({ length: 20 }, () => tempDir()));
  expect(new Set(dirs.map((dir) => dir.path)).size).toBe(20);
  await Promise.all(dirs.map((dir) => dir.remove()));
});
