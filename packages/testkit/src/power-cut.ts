/*
 * A disk whose power can be cut: ext4 on an image file behind a loop device. What a program wrote and did not sync stays in
 * the kernel above it; what the image holds is what a machine would find on its disk after the power was gone.
 *
 *   program ──write──> page cache ──sync──> ext4 ──> loop device ──> image file ──copied at one moment──> mounted again
 *
 * A disk's own cache is not part of it: what the kernel handed over counts as kept.
 */
import { execFile, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { mkdir, rename } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import { tempDir } from "./temp-dir.ts";

export interface PowerCutDisk {
  /** Where it is mounted; the same after each cut. */
  readonly path: string;
  /** Keeps the disk as it is at one moment. Whoever writes to it should be stopped, or that moment may never come. */
  readonly capture: () => Promise<void>;
  /**
   * Mounts what was captured in the disk's place, which recovers as after a power cut. Nobody may have files open on it, not
   * even a closed database with statements left: one that lets go later cleans up by name, on the disk that came back.
   */
  readonly comeBack: () => Promise<void>;
  /** Unmounts it and removes the image. */
  readonly remove: () => Promise<void>;
}

/** Why no disk can be cut here, in words; `undefined` where one can: on Linux, as root, with loop devices. */
export function whyNoPowerCuts(): string | undefined {
  if (process.platform !== "linux") return "needs Linux";
  if (process.getuid?.() !== 0) return "needs root, to mount a file system";
  const folder = mkdtempSync(join(tmpdir(), "belay-probe-"));
  try {
    const image = join(folder, "image");
    const isMade = [
      ["truncate", "-s", "4M", image],
      ["mkfs.ext4", "-q", "-F", image],
      ["mount", "-o", "loop", image, folder],
      ["umount", folder],
    ].every(([command = "", ...args]) => spawnSync(command, args).status === 0);
    return isMade ? undefined : "needs mkfs.ext4 and a loop device that can be mounted";
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Makes an empty disk. @param megabytes its size; the image is sparse. */
export async function powerCutDisk(megabytes: number): Promise<PowerCutDisk> {
  const folder = await tempDir("power-cut");
  const [path, image, captured] = ["disk", "disk.img", "captured.img"].map((name) => join(folder.path, name)) as Three;
  await mkdir(path);
  await run("truncate", "-s", `${megabytes}M`, image);
  await run("mkfs.ext4", "-q", "-F", image);
  await mount(image, path);
  return {
    path,
    capture: () => capture(image, captured),
    comeBack: async () => {
      await unmount(path);
      await rename(captured, image);
      await mount(image, path);
    },
    remove: async () => {
      // A test that failed may have left somebody on it.
      await run("umount", "-l", path);
      await folder.remove();
    },
  };
}

type Three = [path: string, image: string, captured: string];

const run: (command: string, ...args: string[]) => Promise<unknown> = (command, ...args) => promisify(execFile)(command, args);

/** Commits of the journal that nobody asked for are rare: only what was synced counts. */
function mount(image: string, path: string): Promise<unknown> {
  return run("mount", "-o", "loop,commit=300", image, path);
}

/** Whoever was killed is gone before the kernel has closed all of their files. */
async function unmount(path: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await run("umount", path);
      return;
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
      await pause(100);
    }
  }
}

/** A copy that equals its image afterwards is the image of the moment in between, however long copying took. */
async function capture(image: string, captured: string): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    await run("cp", "--sparse=always", image, captured);
    if ((await promisify(execFile)("cmp", ["-s", image, captured]).catch(() => undefined)) !== undefined) return;
  }
  throw new Error(`the disk did not hold still for a copy in ${ATTEMPTS} attempts`);
}

const ATTEMPTS = 100;
