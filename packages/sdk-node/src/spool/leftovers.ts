import { rm, stat } from "node:fs/promises";
import { Delivery, type DeliverySettings, LEDGER_LIMITS, Ledger, type Platform } from "@belay/core/client";
import type { OwnFolder } from "./folder.ts";
import { byInstance, type Left, readLeft } from "./left.ts";

export interface LeftoverLimits {
  /** Owners may die at any time, and some are known to be dead only after a while. */
  readonly lookAgainMs: number;
  /** The server forgets an instance after seven days of silence, and would count what it has a second time. */
  readonly ageMs: number;
  /** Of all files taken over; the oldest ones go first. */
  readonly bytes: number;
}

export const LEFTOVER_LIMITS: LeftoverLimits = {
  lookAgainMs: 60_000,
  ageMs: 6 * 24 * 60 * 60_000,
  bytes: 64 * 1024 * 1024,
};

export interface LeftoverHost {
  /** So many events that an instance left are on the server now. */
  sent(instance: string, events: number): void;
  /** Events, or files of them, that nobody will send. */
  lost(detail: string): void;
}

/**
 * Sends what instances left behind that are gone, each under its own name and numbers, so that what the server has of
 * them already counts once. One instance at a time; a file is removed when all of its instance was answered for.
 */
export class Leftovers {
  readonly #folder: OwnFolder;
  readonly #platform: Platform;
  readonly #settings: DeliverySettings;
  readonly #host: LeftoverHost;
  readonly #limits: LeftoverLimits;
  /** Tells our batches of an instance from those of others who took it up before. */
  readonly #batchPrefix: string;
  #isClosed = false;
  #timer: NodeJS.Timeout | undefined;
  #delivery: Delivery | undefined;
  #looking: Promise<void> = Promise.resolve();

  constructor(
    folder: OwnFolder,
    instance: string,
    sending: { readonly platform: Platform; readonly settings: DeliverySettings },
    host: LeftoverHost,
    limits: LeftoverLimits = LEFTOVER_LIMITS,
  ) {
    this.#folder = folder;
    this.#batchPrefix = `${instance.slice(0, 8)}-`;
    this.#platform = sending.platform;
    this.#settings = sending.settings;
    this.#host = host;
    this.#limits = limits;
  }

  /** Looks now and again and again; never rejects, and never keeps a process. */
  start(): void {
    this.#looking = this.#look().catch((error: Error) => this.#host.lost(`left events could not be read: ${error.message}`));
    void this.#looking.then(() => {
      if (!this.#isClosed) this.#timer = setTimeout(() => this.start(), this.#limits.lookAgainMs).unref();
    });
  }

  /** Stops sending; what is left stays where it is. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#delivery?.close(0);
    await this.#looking;
  }

  async #look(): Promise<void> {
    const files = await this.#withinBounds(await this.#folder.claim());
    for (const [instance, own] of byInstance(files)) {
      if (this.#isClosed) return;
      const left = await readLeft(own);
      if (left === undefined) this.#host.lost(`files of instance ${instance} that do not say who wrote them: ${own.length}`);
      else if (!(await this.#send(left))) return;
      for (const file of own) await rm(file, { force: true });
    }
  }

  /** @returns whether all of it was answered for */
  async #send(left: Left): Promise<boolean> {
    if (left.damaged > 0) this.#host.lost(`damaged lines of instance ${left.instance}: ${left.damaged}`);
    if (left.events.length === 0) return true;
    const platform = this.#platform;
    const ledger: Ledger = new Ledger(LEDGER_LIMITS, {
      isOffline: false,
      now: () => platform.clock.now(),
      attributes: () => undefined,
      differs: () => undefined,
      queued: () => {},
      exposed: () => {},
      dropped: (reason, count) => {
        if (!this.#isClosed) this.#host.lost(`events of instance ${left.instance} given up (${reason}): ${count}`);
      },
    });
    this.#delivery = new Delivery(platform, this.#settings, ledger, {
      sdk: left.sdk,
      instance: left.instance,
      collectCounts: () => {},
      // The instance that runs says what is wrong with the server.
      failed: () => {},
    });
    ledger.restore(left.events, left.arms, this.#batchPrefix);
    await this.#delivery.flush(FOR_EVER_MS);
    this.#delivery = undefined;
    const { stored, queued } = ledger.report();
    if (stored > 0) this.#host.sent(left.instance, stored);
    return queued === 0 && !this.#isClosed;
  }

  async #withinBounds(files: readonly string[]): Promise<readonly string[]> {
    const known = await Promise.all(files.map(async (file) => ({ file, ...(await ageAndSize(file)) })));
    let bytes = 0;
    const kept: { file: string; size: number }[] = [];
    const given: { file: string; size: number }[] = [];
    for (const { file, mtimeMs, size } of known.sort((a, b) => b.mtimeMs - a.mtimeMs)) {
      bytes += size;
      const isKept = Date.now() - mtimeMs <= this.#limits.ageMs && bytes <= this.#limits.bytes;
      // Who dies while a file is made leaves it empty.
      (isKept && size > 0 ? kept : given).push({ file, size });
    }
    for (const { file } of given) await rm(file, { force: true });
    const lost = given.filter(({ size }) => size > 0).length;
    if (lost > 0) this.#host.lost(`files of left events removed, too old or too much together: ${lost}`);
    return kept.map(({ file }) => file);
  }
}

/** The longest a timer of Node can wait. */
const FOR_EVER_MS = 2 ** 31 - 1;

async function ageAndSize(file: string): Promise<{ mtimeMs: number; size: number }> {
  const { mtimeMs, size } = await stat(file);
  return { mtimeMs, size };
}
