import { fork } from "node:child_process";
import { once } from "node:events";
import { access, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { EpochMs } from "@belay/protocol";
import { create } from "tar";
import type { EventStore } from "../store/events/index.ts";
import { namesToInherit } from "../store/server-name.ts";
import { MANIFEST, type Manifest, type Part } from "./manifest.ts";

export interface BackupOptions {
  /** The data folder of the running server. */
  readonly folder: string;
  readonly events: Pick<EventStore, "copyTo">;
  readonly now: () => EpochMs;
}

/**
 * Copies of everything a server keeps in its data folder, made while it runs. Events are copied before changes, so that every
 * revision an exposure names is in the copy. What an engine of its own keeps is not in it: PostgreSQL's changes, ClickHouse's
 * events.
 */
export class Backups {
  readonly #options: BackupOptions;
  #turn: Promise<unknown>;

  constructor(options: BackupOptions) {
    this.#options = options;
    // What a server before left half sent.
    this.#turn = rm(join(options.folder, "backups"), { recursive: true, force: true }).catch(() => undefined);
  }

  /** A gzipped tar of a copy; the copy itself takes room in the data folder until the stream ends. One is made at a time. */
  archive(): Promise<Readable> {
    const made = this.#turn.then(() => this.#copy());
    this.#turn = made.catch(() => undefined);
    return made.then((copy) => Readable.from(archived(copy)));
  }

  async #copy(): Promise<Copy> {
    const { folder, events, now } = this.#options;
    await mkdir(join(folder, "backups"), { recursive: true, mode: 0o700 });
    const directory = await mkdtemp(join(folder, "backups", "b-"));
    try {
      const parts: Part[] = [];
      if (await events.copyTo(join(directory, "events"))) parts.push("events");
      for (const part of ["deliveries.db", "changes.db"] as const) {
        if (await copyDatabase(join(folder, part), join(directory, part))) parts.push(part);
      }
      const servers = await namesToInherit(folder);
      const made = { version: 1, madeAt: new Date(now()).toISOString(), parts } as const;
      const manifest: Manifest = { ...made, ...(servers.length === 0 ? {} : { servers }) };
      await writeFile(join(directory, MANIFEST), `${JSON.stringify(manifest)}\n`);
      return { directory, names: [MANIFEST, ...parts] };
    } catch (error) {
      await rm(directory, { recursive: true, force: true });
      throw error;
    }
  }
}

interface Copy {
  readonly directory: string;
  readonly names: readonly string[];
}

/** The bytes of the archive; the copy goes when they end, also where nobody reads them to the end. */
async function* archived({ directory, names }: Copy): AsyncGenerator<Buffer> {
  try {
    yield* create({ cwd: directory, gzip: true, portable: true }, [...names]);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Copies an SQLite file as of one moment, in a process of its own: a large one would keep this one from deciding. */
async function copyDatabase(from: string, to: string): Promise<boolean> {
  const isThere = await access(from).then(
    () => true,
    () => false,
  );
  if (!isThere) return false;
  const [code] = await once(fork(ENTRY, [from, to], { env: {}, execArgv: [] }), "exit");
  if (code !== 0) throw new Error(`the copy of ${from} failed; see the lines above`);
  return true;
}

/** Node runs no TypeScript: where this file is itself a source, under test, the built one beside it is started. */
const ENTRY = fileURLToPath(
  new URL(import.meta.url.endsWith(".ts") ? "../../dist/backups/copy-process.js" : "./copy-process.js", import.meta.url),
);
