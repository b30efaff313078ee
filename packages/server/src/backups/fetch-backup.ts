import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream } from "node:stream/web";

export interface BackupSource {
  readonly url: string;
  /** Of role admin, for all projects. */
  readonly token: string;
}

/** Asks a running server for a backup and keeps it in a file, whole or not at all. @throws Error in words. */
export async function fetchBackup({ url, token }: BackupSource, file: string): Promise<void> {
  const answer = await fetch(`${url}/api/v1/backup`, { headers: { authorization: `Bearer ${token}` } });
  if (!answer.ok || answer.body === null) throw new Error(`The server answered ${answer.status}: ${await answer.text()}`);
  const part = `${file}.part`;
  try {
    await pipeline(Readable.fromWeb(answer.body as ReadableStream), createWriteStream(part, { mode: 0o600, flush: true }));
    await rename(part, file);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}
