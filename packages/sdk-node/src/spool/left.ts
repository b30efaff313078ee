import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import type { NumberedEvent } from "@belay/core/client";
import type { ArmLedger } from "@belay/protocol";
import { readFrames } from "./frame.ts";
import type { SpoolHead, SpoolLine } from "./spool.ts";

/** What an instance that is gone has left. */
export interface Left {
  readonly instance: string;
  readonly sdk: string;
  /** In order of their numbers, each once, and none that was answered for. */
  readonly events: readonly NumberedEvent[];
  readonly arms: readonly ArmLedger[];
  /** Lines that were torn or damaged. */
  readonly damaged: number;
}

/** Files of events by the instance that wrote them, in the order they were written. */
export function byInstance(files: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const groups = new Map<string, string[]>();
  for (const file of [...files].sort((a, b) => (basename(a) < basename(b) ? -1 : 1))) {
    const instance = basename(file).replace(/-\d+\.events$/, "");
    const group = groups.get(instance) ?? [];
    group.push(file);
    groups.set(instance, group);
  }
  return groups;
}

/** Reads the files of one instance, in order. Damaged lines cost themselves; `undefined` where no file says whose it is. */
export async function readLeft(files: readonly string[]): Promise<Left | undefined> {
  const reading = new Reading();
  for (const file of files) reading.add(await readFile(file));
  return reading.left();
}

class Reading {
  readonly #events = new Map<number, NumberedEvent>();
  /** Exposures below the last totals are in them; those above count on top. */
  #arms = new Map<string, ArmLedger>();
  #head: SpoolHead | undefined;
  #answered = 0;
  #damaged = 0;

  add(bytes: Buffer): void {
    const { documents, damaged } = readFrames(bytes);
    this.#damaged += damaged;
    for (const document of documents as readonly (SpoolHead | SpoolLine)[]) this.#take(document);
  }

  left(): Left | undefined {
    if (this.#head === undefined) return undefined;
    const { instance, sdk } = this.#head;
    const events = [...this.#events.values()]
      .filter(({ event }) => event.seq > this.#answered)
      .sort((a, b) => a.event.seq - b.event.seq);
    return { instance, sdk, events, arms: [...this.#arms.values()], damaged: this.#damaged };
  }

  #take(line: SpoolHead | SpoolLine): void {
    if ("spool" in line) this.#head = line;
    else if ("answered" in line) this.#answered = Math.max(this.#answered, line.answered);
    else if ("arms" in line) this.#arms = new Map(line.arms.map((arm) => [nameOf(arm), arm]));
    else if ("list" in line && !this.#events.has(line.event.seq)) this.#keep(line);
  }

  #keep(numbered: NumberedEvent): void {
    this.#events.set(numbered.event.seq, numbered);
    if (numbered.list !== "exposures") return;
    const { experiment, release, variant } = numbered.event;
    const name = nameOf(numbered.event);
    const { produced, dropped } = this.#arms.get(name) ?? { produced: 0, dropped: 0 };
    const subject = experiment === undefined ? { release } : { experiment };
    this.#arms.set(name, { ...subject, variant, produced: produced + 1, dropped } as ArmLedger);
  }
}

function nameOf({ experiment, release, variant }: { experiment?: string; release?: string; variant: string }): string {
  return JSON.stringify([experiment ?? null, release ?? null, variant]);
}
