/**
 * Joins the watches of several servers: what each counts goes into the store under numbers of its own, and what the others
 * counted comes out of it, each page once.
 *
 *   counted here ── outbox ── page n of this server ──> store ──> told, or looked for ──> page n at every other server
 *
 * Harm goes at once, the rest twice a second. While the store is away the outbox waits; a page that may have arrived is
 * sent again as it was, and counts once.
 */
import type { EpochMs } from "@belay/protocol";
import type { SightingHead, SightingPage, SightingStore } from "../store/sightings/index.ts";
import { fromJson, type Sighting, toJson } from "./sighting.ts";

export interface ExchangeOptions {
  readonly store: SightingStore;
  /** Names this life of this server; none other ever had it. */
  readonly writer: string;
  readonly now: () => EpochMs;
  /** What another server counted in a run. */
  readonly onSightings: (run: string, sightings: readonly Sighting[]) => void;
  /** More was counted than the outbox holds while the store was away: the run must be told from its beginning. */
  readonly onOverflow: (run: string) => void;
  readonly onFault: (error: unknown) => void;
  /** How often it looks for what it was not told of, and tries again what failed. Default 2 s. */
  readonly everyMs?: number;
  /** How long what is not urgent may wait for more of it. Default 500 ms. */
  readonly paceMs?: number;
  /** Sightings of a run that may wait. Default 50,000. */
  readonly waitingMax?: number;
}

/** One release that is watched here. */
interface Run {
  readonly name: string;
  /** The last page that was read, by its writer. */
  readonly known: Map<string, number>;
  outbox: Sighting[];
  /** On their way: sent again as they are until they arrived. */
  sent: SightingPage[];
  written: number;
  isShort: boolean;
}

const EVERY_MS = 2_000;
const PACE_MS = 500;
/** Between two transactions: what is urgent and comes together travels together. */
const URGENT_PACE_MS = 25;
const WAITING_MAX = 50_000;
const PAGE_SIGHTINGS = 1_000;
const PAGES_AT_ONCE = 100;
/** Runs that ended while nobody who knew of it could forget them. */
const IDLE_MS = 7 * 86_400_000;

export class Exchange {
  readonly #options: ExchangeOptions;
  readonly #runs = new Map<string, Run>();
  readonly #unwatch: () => void;
  readonly #timer: NodeJS.Timeout;
  #flush: NodeJS.Timeout | undefined;
  #flushAt = Number.POSITIVE_INFINITY;
  #flushing: Promise<void> = Promise.resolve();
  #reading: Promise<void> | undefined;
  #isToldOfMore = false;
  #isClosed = false;

  constructor(options: ExchangeOptions) {
    this.#options = options;
    this.#unwatch = options.store.watch(() => this.#look());
    this.#timer = setInterval(() => {
      this.#look();
      this.#flushWithin(0);
    }, options.everyMs ?? EVERY_MS).unref();
  }

  /**
   * Begins to take part in a run, and brings what was counted in it so far before it resolves.
   * @throws ProblemError while the store is away: it is looked at again, and what is there comes then
   */
  async open(name: string): Promise<void> {
    const { written = 0 } = this.#runs.get(name) ?? {};
    const run: Run = { name, known: new Map(), outbox: [], sent: [], written, isShort: false };
    this.#runs.set(name, run);
    await this.#read([run]);
  }

  /** Something was counted here that the others are to know. */
  add(name: string, sighting: Sighting, isUrgent: boolean): void {
    const run = this.#runs.get(name);
    if (run === undefined) return;
    if (run.outbox.length >= (this.#options.waitingMax ?? WAITING_MAX)) {
      run.isShort = true;
      return;
    }
    run.outbox.push(sighting);
    this.#flushWithin(isUrgent ? URGENT_PACE_MS : (this.#options.paceMs ?? PACE_MS));
  }

  /** The run is over: nobody needs what was counted in it. */
  async end(name: string): Promise<void> {
    if (!this.#runs.delete(name)) return;
    try {
      await this.#options.store.forget(name);
      await this.#options.store.forgetIdle(this.#options.now() - IDLE_MS, [...this.#runs.keys()]);
    } catch (error) {
      this.#options.onFault(error);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    clearTimeout(this.#flush);
    this.#unwatch();
    // What waits is counted again from this server's own events when it is started.
    await this.#flushing;
    await this.#reading;
    await this.#options.store.close();
  }

  #flushWithin(ms: number): void {
    const at = performance.now() + ms;
    if (this.#isClosed || at >= this.#flushAt) return;
    clearTimeout(this.#flush);
    this.#flushAt = at;
    this.#flush = setTimeout(() => {
      this.#flushAt = Number.POSITIVE_INFINITY;
      this.#flushing = this.#flushing.then(() => this.#send());
    }, ms).unref();
  }

  async #send(): Promise<void> {
    const { store, writer, now, onFault, onOverflow } = this.#options;
    const runs = [...this.#runs.values()].filter(({ sent, outbox }) => sent.length > 0 || outbox.length > 0);
    for (const run of runs) if (run.sent.length === 0) fill(run, writer);
    if (runs.length === 0) return;
    try {
      await store.put(
        runs.flatMap(({ sent }) => sent),
        now(),
      );
    } catch (error) {
      // Tried again at the next look.
      onFault(error);
      return;
    }
    for (const run of runs) {
      run.sent = [];
      if (!run.isShort || this.#runs.get(run.name) !== run) continue;
      run.isShort = false;
      onOverflow(run.name);
    }
    if (runs.some(({ outbox }) => outbox.length > 0)) this.#flushWithin(URGENT_PACE_MS);
  }

  /** One look at a time; what is told meanwhile is looked for after it. */
  #look(): void {
    if (this.#isClosed || this.#runs.size === 0) return;
    if (this.#reading !== undefined) {
      this.#isToldOfMore = true;
      return;
    }
    this.#isToldOfMore = false;
    this.#reading = this.#read([...this.#runs.values()])
      .catch((error) => this.#options.onFault(error))
      .finally(() => {
        this.#reading = undefined;
        if (this.#isToldOfMore) this.#look();
      });
  }

  async #read(runs: readonly Run[]): Promise<void> {
    const byName = new Map(runs.map((run) => [run.name, run]));
    for (const head of await this.#options.store.heads([...byName.keys()])) {
      const run = byName.get(head.run);
      if (run !== undefined && head.writer !== this.#options.writer) await this.#catchUp(run, head);
    }
  }

  async #catchUp(run: Run, { writer, number: last }: SightingHead): Promise<void> {
    const { store, onSightings } = this.#options;
    for (let number = run.known.get(writer) ?? 0; number < last && !this.#isClosed; ) {
      const pages = await store.after({ run: run.name, writer, number }, PAGES_AT_ONCE);
      // Another look may have brought some of them; and the run may have ended, or begun anew.
      if (this.#runs.get(run.name) !== run) return;
      for (const page of pages) {
        if (page.number <= (run.known.get(writer) ?? 0)) continue;
        run.known.set(writer, page.number);
        onSightings(run.name, fromJson(page.body));
      }
      const read = pages.at(-1)?.number;
      if (read === undefined) return;
      number = read;
    }
  }
}

function fill(run: Run, writer: string): void {
  for (let from = 0; from < run.outbox.length; from += PAGE_SIGHTINGS) {
    run.written += 1;
    const body = toJson(run.outbox.slice(from, from + PAGE_SIGHTINGS));
    run.sent.push({ run: run.name, writer, number: run.written, body });
  }
  run.outbox = [];
}
