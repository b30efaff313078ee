import { mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { extract } from "tar";
import { inheritNames } from "../store/server-name.ts";
import { MANIFEST, type Manifest, PARTS, readManifest } from "./manifest.ts";

/**
 * Puts a backup where a server will find it. All of it or nothing: it is unpacked beside the folder, looked at, and then takes
 * its place.
 *
 * @throws Error in words, when the folder holds anything already or the file is no backup.
 */
export async function restore(file: string, folder: string): Promise<Manifest> {
  const target = resolve(folder);
  if ((await namesIn(target)).length > 0) {
    throw new Error(`The folder ${target} holds something already. Move it away, or restore into another one.`);
  }
  const unpacked = `${target}.restoring`;
  await rm(unpacked, { recursive: true, force: true });
  await mkdir(dirname(target), { recursive: true });
  await mkdir(unpacked, { mode: 0o700 });
  try {
    // Nothing but what a backup holds is taken out of the file, whoever made it.
    const isPart = (path: string): boolean => [MANIFEST, ...PARTS].includes(path.replace(/^\.\//, "").split("/")[0] ?? "");
    await extract({ file, cwd: unpacked, strict: true, filter: isPart });
    const manifest = readManifest(await readFile(join(unpacked, MANIFEST), "utf8"));
    const there = await namesIn(unpacked);
    const missing = manifest.parts.filter((part) => !there.includes(part));
    if (missing.length > 0) throw new Error(`The backup is cut: it lacks ${missing.join(", ")}.`);
    await rm(join(unpacked, MANIFEST));
    await inheritNames(unpacked, manifest.servers ?? []);
    await rm(target, { recursive: true, force: true });
    await rename(unpacked, target);
    return manifest;
  } catch (error) {
    await rm(unpacked, { recursive: true, force: true });
    throw error;
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
