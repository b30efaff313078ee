import { createHash } from "node:crypto";
import { mkdir, open, readFile, rename } from "node:fs/promises";
import { dirname } from "node:path";
import type { Kept } from "./change-log.ts";

/**
 * All that a change log holds of now, in one file of one server: what it starts from while the database is away. Secrets
 * are hashes here as there, but for those that sign webhooks; the file is its owner's alone.
 */
interface MirrorFile {
  readonly format: 1;
  /** SHA-256 of `kept`, in hex: a file that was cut or edited is passed over. */
  readonly sum: string;
  readonly kept: string;
}

/** Writes the file whole or not at all: a crash leaves the one before. */
export async function writeMirror(path: string, kept: Kept): Promise<void> {
  const text = JSON.stringify(kept);
  const content: MirrorFile = { format: 1, sum: sumOf(text), kept: text };
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}.tmp`;
  const file = await open(temporary, "w", 0o600);
  try {
    await file.writeFile(JSON.stringify(content));
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  await syncFolder(dirname(path));
}

/** What the file holds; `undefined` where it is not there, cut, edited or of another format. */
export async function readMirror(path: string): Promise<Kept | undefined> {
  try {
    const { format, sum, kept = "" } = JSON.parse(await readFile(path, "utf8")) as Partial<MirrorFile>;
    return format === 1 && sum === sumOf(kept) ? (JSON.parse(kept) as Kept) : undefined;
  } catch {
    return undefined;
  }
}

const sumOf = (text: string): string => createHash("sha256").update(text).digest("hex");

/** The new name survives a power cut once its folder is synced; Windows has no such call and no such need. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
