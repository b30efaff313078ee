/*
 * The folders of a spool:
 *
 *     <spoolDir>/<origin>/<instance>/owner.json                      one instance that runs: nobody else touches it
 *                                    <instance>-000001.events        its events
 *                                    claimed/<other>-000001.events   taken over from one that is gone
 *     <spoolDir>/<origin>/<instance>.left/...                        closed in good order with something left: free to take
 *
 * `origin` stands for server and key: what was recorded for one environment is never sent to another.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { isGone, LEASE, thisProcess } from "./owner.ts";

/** The folder of one running instance. It is made when it is first needed. */
export class OwnFolder {
  readonly #origin: string;
  readonly #name: string;
  readonly path: string;
  readonly #owner = JSON.stringify(thisProcess());
  #isMade = false;
  #touching: NodeJS.Timeout | undefined;

  constructor(origin: string, instance: string) {
    this.#origin = origin;
    this.#name = instance;
    this.path = join(origin, instance);
  }

  /** Makes the folder and says whose it is, where it is not there already. Rejects where that cannot be done. */
  async make(): Promise<void> {
    await mkdir(this.path, { recursive: true, mode: FOLDER_MODE });
    await writeFile(join(this.path, OWNER_FILE), this.#owner, { mode: FILE_MODE });
    this.#isMade = true;
    this.#touching ??= setInterval(() => void this.#touch(), LEASE.touchMs).unref();
  }

  /** As `make`, within this turn: for a process that has no other. Throws where that cannot be done. */
  makeNow(): void {
    mkdirSync(this.path, { recursive: true, mode: FOLDER_MODE });
    writeFileSync(join(this.path, OWNER_FILE), this.#owner, { mode: FILE_MODE });
  }

  /** Takes over what owners that are gone have left; returns the files of events in our folder. Files of one instance in order. */
  async claim(): Promise<readonly string[]> {
    for (const name of await namesIn(this.#origin)) {
      if (name === this.#name || !(await isFree(join(this.#origin, name)))) continue;
      await this.make();
      await this.#take(name);
    }
    const claimed = join(this.path, CLAIMED);
    return (await namesIn(claimed)).filter(isEventFile).map((name) => join(claimed, name));
  }

  /** Leaves the folder: gone where nothing is left in it, free to be taken where something is. Never rejects. */
  async leave(isEmpty: boolean): Promise<void> {
    clearInterval(this.#touching);
    if (!this.#isMade) return;
    const hasClaimed = (await namesIn(join(this.path, CLAIMED))).some(isEventFile);
    if (isEmpty && !hasClaimed) await rm(this.path, { recursive: true, force: true }).catch(() => {});
    else await rename(this.path, `${this.path}${LEFT}`).catch(() => {});
  }

  /** One rename decides who has it; whoever comes second finds nothing. */
  async #take(name: string): Promise<void> {
    const taken = join(this.path, name);
    const isOurs = await rename(join(this.#origin, name), taken).then(
      () => true,
      () => false,
    );
    if (!isOurs) return;
    // Flat, or a row of crashes would nest them ever deeper.
    await mkdir(join(this.path, CLAIMED), { recursive: true, mode: FOLDER_MODE });
    for (const file of await eventFilesBelow(taken)) await rename(file, join(this.path, CLAIMED, basename(file)));
    await rm(taken, { recursive: true, force: true });
  }

  async #touch(): Promise<void> {
    const now = new Date();
    // Gone: somebody took us for dead. What we still hold in memory is sent by both, and counted once.
    await utimes(join(this.path, OWNER_FILE), now, now).catch(() => {});
  }
}

/** The name of an instance's n-th file of events. */
export function eventFileName(instance: string, number: number): string {
  return `${instance}-${String(number).padStart(6, "0")}${EVENTS}`;
}

/** What people do is nobody else's business. */
export const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;

const OWNER_FILE = "owner.json";
const CLAIMED = "claimed";
const LEFT = ".left";
const EVENTS = ".events";

function isEventFile(name: string): boolean {
  return name.endsWith(EVENTS);
}

/** May anybody take this folder? */
async function isFree(folder: string): Promise<boolean> {
  if (folder.endsWith(LEFT)) return true;
  try {
    const file = join(folder, OWNER_FILE);
    const [text, { mtimeMs }] = await Promise.all([readFile(file, "utf8"), stat(file)]);
    return isGone(text, Date.now() - mtimeMs);
  } catch {
    // Being made just now, or nobody will ever say whose it was.
    const made = await stat(folder).catch(() => undefined);
    return made?.isDirectory() === true && isGone("", Date.now() - made.mtimeMs);
  }
}

async function namesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  return names.sort();
}

async function eventFilesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const below = entries.map(async (entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return eventFilesBelow(path);
    return isEventFile(entry.name) ? [path] : [];
  });
  return (await Promise.all(below)).flat();
}
