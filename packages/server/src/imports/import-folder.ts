import { randomUUID } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm, truncate } from "node:fs/promises";
import { join } from "node:path";
import { syncDirectory } from "../store/events/spool/segment-file.ts";
import type { ImportRecord } from "./import-record.ts";
import type { IncomingFile } from "./incoming.ts";
import type { RejectedRow } from "./reading.ts";

/**
 * Imports on the disk:
 *
 *   folder                       what tells this folder from those of other servers
 *   incoming/<any name>          files on their way; thrown away at a start
 *   <id>/import.json             what it is and how far it came, written whole
 *   <id>/file                    until it has ended
 *   <id>/rejected.ndjson         a line per rejected row, as far as the record says
 */
export class ImportFolder {
  /** Made once: a server that starts on this folder again goes on with what is in it. */
  readonly id: string;
  readonly #path: string;

  private constructor(path: string, id: string) {
    this.#path = path;
    this.id = id;
  }

  static async open(path: string): Promise<ImportFolder> {
    await rm(join(path, INCOMING), { recursive: true, force: true });
    await mkdir(join(path, INCOMING), { recursive: true, mode: 0o700 });
    return new ImportFolder(path, await folderId(path));
  }

  /** Every import there is. A folder whose record was never written is none. */
  async records(): Promise<ImportRecord[]> {
    const records: ImportRecord[] = [];
    for (const name of await readdir(this.#path)) {
      if (name === INCOMING || name.startsWith(FOLDER)) continue;
      const text = await readFile(join(this.#path, name, RECORD), "utf8").catch(() => undefined);
      if (text === undefined) await rm(join(this.#path, name), { recursive: true, force: true });
      else records.push(JSON.parse(text) as ImportRecord);
    }
    return records;
  }

  incoming(name: string): string {
    return join(this.#path, INCOMING, name);
  }

  file(id: string): string {
    return join(this.#path, id, FILE);
  }

  rejected(id: string): string {
    return join(this.#path, id, REJECTED);
  }

  /** Takes a file that arrived for an import, and notes the import: from then on it is done, whatever happens. */
  async take({ path }: IncomingFile, record: ImportRecord): Promise<void> {
    await mkdir(join(this.#path, record.id), { recursive: true, mode: 0o700 });
    await rename(path, this.file(record.id));
    await this.write(record);
    await syncDirectory(this.#path);
  }

  async write(record: ImportRecord): Promise<void> {
    await writeWhole(join(this.#path, record.id), RECORD, JSON.stringify(record));
  }

  /** Adds rejected rows after the bytes a record knows of: what a crash left behind them is written again. @returns the length. */
  async reject({ id, rejectedBytes }: ImportRecord, rows: readonly RejectedRow[]): Promise<number> {
    if (rows.length === 0) return rejectedBytes;
    const path = this.rejected(id);
    const file = await open(path, "a", 0o600);
    try {
      await truncate(path, rejectedBytes);
      const lines = Buffer.from(rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
      await file.writeFile(lines);
      return rejectedBytes + lines.length;
    } finally {
      await file.close();
    }
  }

  /** Lets the file of an import go. */
  async forgetFile(id: string): Promise<void> {
    await rm(this.file(id), { force: true });
  }
}

async function folderId(path: string): Promise<string> {
  const known = await readFile(join(path, FOLDER), "utf8").catch(() => undefined);
  if (known !== undefined) return known;
  const id = randomUUID();
  await writeWhole(path, FOLDER, id);
  return id;
}

/** Writes a file of a folder, all of it or nothing. */
async function writeWhole(folder: string, name: string, content: string): Promise<void> {
  const path = join(folder, name);
  const file = await open(`${path}.new`, "w", 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
  await syncDirectory(folder);
}

const FOLDER = "folder";
const INCOMING = "incoming";
const RECORD = "import.json";
const FILE = "file";
const REJECTED = "rejected.ndjson";
