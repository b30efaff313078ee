import { createHash } from "node:crypto";
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, writeFileSync } from "node:fs";
import { mkdir, open, readFile, rename } from "node:fs/promises";
import { dirname } from "node:path";

/** A JSON value in a file, for its owner alone. */
interface SummedFile {
  readonly format: 1;
  /** SHA-256 of `kept`, in hex: a file that was cut or edited is passed over. */
  readonly sum: string;
  readonly kept: string;
}

/** Writes the file whole or not at all, and durably: a crash or a power cut leaves the one before. */
export async function writeSummed(path: string, value: unknown): Promise<void> {
  const content = contentOf(value);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}.tmp`;
  const file = await open(temporary, "w", 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  await syncFolder(dirname(path));
}

/** As `writeSummed`, before it returns: for what must be on the disk before anything else happens. */
export function writeSummedNow(path: string, value: unknown): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}.tmp`;
  const file = openSync(temporary, "w", 0o600);
  try {
    writeFileSync(file, contentOf(value));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
}

/** What was written; `undefined` where the file is not there, cut, edited or of another format. */
export async function readSummed(path: string): Promise<unknown> {
  try {
    const { format, sum, kept = "" } = JSON.parse(await readFile(path, "utf8")) as Partial<SummedFile>;
    return format === 1 && sum === sumOf(kept) ? JSON.parse(kept) : undefined;
  } catch {
    return undefined;
  }
}

function contentOf(value: unknown): string {
  const text = JSON.stringify(value);
  return JSON.stringify({ format: 1, sum: sumOf(text), kept: text } satisfies SummedFile);
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
