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
  const headers = { authorization: `Bearer ${token}` };
  const answer = await fetch(`${url}/api/v1/backup`, { headers }).catch((error: unknown) => {
    throw new Error(`The server at ${url} cannot be reached (${reasonOf(error)}).`, { cause: error });
  });
  if (!answer.ok || answer.body === null) throw new Error(`The server answered ${answer.status}: ${await answer.text()}`);
  const part = `${file}.part`;
  try {
    await pipeline(Readable.fromWeb(answer.body as ReadableStream), createWriteStream(part, { mode: 0o600, flush: true }));
    await rename(part, file);
  } catch (error) {
    await rm(part, { force: true });
    // What is wrong with the file names it; a connection only says that it is over.
    if ("code" in (error as object)) throw error;
    throw new Error("The connection broke before the backup was whole. Nothing was kept.", { cause: error });
  }
}

/** What fetch throws names its reason one level below. */
function reasonOf(error: unknown): string {
  const { cause } = error as { readonly cause?: { readonly code?: string } };
  return cause?.code ?? String(error);
}
