import { Readable } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";
import { EngineAway, type LoadableSegment } from "../engine.ts";
import type { Fleet } from "./fleet.ts";
import type { Attempt, LoadBook } from "./load-book.ts";
import {
  type Arrived,
  CREATE_ARRIVED,
  countLoaded,
  fillings,
  highestPosition,
  IN_ONE_BLOCK,
  INSERT_ARRIVED,
  READ_FRAMES,
  sumUpArrived,
} from "./load-sql.ts";
import { type ClickHouseServer, READING } from "./server.ts";
import { text, whole } from "./sql.ts";
import { frameLines } from "./staged-frames.ts";
import type { Tables } from "./tables.ts";

/**
 * Takes segments of the spool into ClickHouse, one attempt after the other:
 *
 *   book: begin ─> (after one not seen to end: fence, wait) ─> bring frames ─> fill tables ─> count ─> book: end
 *
 * It may fail, and its process end, at any point; the next attempt makes up for it and adds nothing twice.
 */
export class Loader {
  readonly #tables: Tables;
  readonly #fleet: Fleet;
  readonly #book: LoadBook;
  readonly #now: () => number;

  constructor({ tables, fleet, book, now }: LoaderParts) {
    this.#tables = tables;
    this.#fleet = fleet;
    this.#book = book;
    this.#now = now;
  }

  /** Loads segments of one spool, oldest first; those that were loaded before are passed over. */
  async load(segments: readonly LoadableSegment[]): Promise<void> {
    for (let rest = segments; ; ) {
      const server = await this.#fleet.server();
      const attempt = await this.#book.begin(rest, () => this.#baseOn(server));
      if (attempt === undefined) return;
      await this.#attempt(server, attempt);
      await this.#book.end(attempt);
      rest = rest.filter((segment) => !attempt.segments.includes(segment));
    }
  }

  /**
   * A new spool begins above everything stored so far: above what is found, and above what a replica may not have heard of yet,
   * as no spool gives out a million numbers a second for all of its life.
   */
  async #baseOn(server: ClickHouseServer): Promise<number> {
    const [highest] = await server.rows<{ n: number }>(highestPosition(this.#tables), READING);
    return Math.max(highest?.n ?? 0, this.#now() * 1_000);
  }

  async #attempt(server: ClickHouseServer, attempt: Attempt): Promise<void> {
    if (attempt.isAgain) await this.#fenceOff(server, attempt);
    const session = idOf(attempt);
    const arrived = await this.#bring(server, attempt, session);
    const source = { spool: attempt.spool, attempt: attempt.number, base: attempt.base };
    for (const { table, sql } of fillings(this.#tables, source, arrived)) {
      await server.run(sql, { session, id: `${session}-${table}`, settings: IN_ONE_BLOCK, timeoutMs: LOAD_MS });
    }
    await this.#verify(server, arrived);
    // The session would forget it by itself, but not as soon.
    await server.run("drop temporary table arrived", { session }).catch(() => undefined);
  }

  /** After this no earlier attempt adds anything: what runs has ended, and what begins only now finds the fence. */
  async #fenceOff(server: ClickHouseServer, { spool, number }: Attempt): Promise<void> {
    const at = whole(Math.floor(this.#now() / 1_000));
    await server.run(
      `insert into ${this.#tables.name("load_fences")} (spool, attempt, written_at)
        select ${text(spool)}, ${whole(number)}, toDateTime(${at}, 'UTC')`,
      { settings: IN_ONE_BLOCK },
    );
    const running = `select toFloat64(count()) as n from system.processes where startsWith(query_id, ${text(prefixOf(spool))})`;
    for (const sinceMs = performance.now(); ; await pause(PAUSE_MS)) {
      if ((await server.rows<{ n: number }>(running))[0]?.n === 0) return;
      if (performance.now() - sinceMs > LOAD_MS) throw new EngineAway(`ClickHouse at ${server.name} is still at the load before`);
    }
  }

  /** Takes the frames to the server, and sees that all came. */
  async #bring(server: ClickHouseServer, { segments, base }: Attempt, session: string): Promise<Arrived> {
    let lines = 0;
    const frames = frameLines(segments, (all) => {
      lines = all;
    });
    await server.run(CREATE_ARRIVED, { session });
    const body = Readable.from(frames, { objectMode: false });
    const failed = new Promise<never>((_, reject) => body.once("error", reject));
    await Promise.race([server.insert(INSERT_ARRIVED, body, { session, settings: READ_FRAMES, timeoutMs: LOAD_MS }), failed]);
    const [arrived] = await server.rows<Arrived>(sumUpArrived(base), { session });
    if (arrived?.lines !== lines) throw new EngineAway(`ClickHouse took ${arrived?.lines} of ${lines} frames`);
    return arrived;
  }

  /**
   * Sees that every event is there: on this server, and on every other one that answers, so that none that takes over shows
   * less. One that is more than some seconds behind is not waited for.
   */
  async #verify(server: ClickHouseServer, arrived: Arrived): Promise<void> {
    const events = arrived.exposures + arrived.metrics;
    if (events === 0) return;
    const found = await this.#counted(server, arrived, events);
    if (found !== events) throw new EngineAway(`ClickHouse at ${server.name} shows ${found} of ${events} events of a load`);
    if (!this.#tables.isCluster) return;
    const others = await this.#fleet.others(server);
    await Promise.allSettled(others.map((other) => this.#counted(other, arrived, events)));
  }

  /** How many events of a load a server shows, after some patience when they are not all of them. */
  async #counted(server: ClickHouseServer, arrived: Arrived, events: number): Promise<number> {
    const question = countLoaded(this.#tables, arrived);
    for (const sinceMs = performance.now(); ; await pause(PAUSE_MS)) {
      const found = (await server.rows<{ n: number }>(question, READING))[0]?.n ?? 0;
      if (found === events || performance.now() - sinceMs > BEHIND_MS) return found;
    }
  }
}

interface LoaderParts {
  readonly tables: Tables;
  readonly fleet: Fleet;
  readonly book: LoadBook;
  readonly now: () => number;
}

const LOAD_MS = 60_000;
const PAUSE_MS = 50;
/** How long a replica may take to hear of a load. */
const BEHIND_MS = 5_000;

const prefixOf = (spool: string): string => `belay-${spool}-`;

function idOf({ spool, number }: Attempt): string {
  return `${prefixOf(spool)}${number}`;
}
