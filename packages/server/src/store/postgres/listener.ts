import type pg from "pg";
import type { PostgresSession } from "./session.ts";

/** How often it asks whether the way is open, and begins a further connection while it is not. */
const BEAT_MS = 250;

/** With the session's timeout of 900 ms one begins each 250 ms, however long the others take to fail. */
const RIVALS_MAX = 4;

/**
 * A connection that listens to a channel. A network that swallows packets tells nobody, and each statement on it takes its
 * whole timeout to fail: so the connection is asked something all the time, and a further one is begun as soon as it owes
 * an answer. Whichever is heard first goes on; the others are left.
 *
 *   listening ── asked each 250 ms, answered ──┐
 *      │  ▲ ◀───────────────────────────────────┘
 *      │  │ a rival listens: all the session has that is older than it is forsaken, and what was missed is asked for
 *      ▼  │
 *   silent, or broken ── a rival each 250 ms
 */
export class PostgresListener {
  readonly #session: PostgresSession;
  readonly #channel: string;
  readonly #tell: (payload?: string) => void;
  readonly #timer: NodeJS.Timeout;
  readonly #rivals = new Set<pg.Client>();
  #client: pg.Client | undefined;
  /** The last question was not answered: nothing may come from there any more, also to others of the session. */
  #isSilent = false;

  /**
   * @param channel a name of this code, never one of a user: it goes into the statement as it is.
   * @param tell without a payload: something may have been missed; also at the very start
   */
  constructor(session: PostgresSession, channel: string, tell: (payload?: string) => void) {
    this.#session = session;
    this.#channel = channel;
    this.#tell = tell;
    this.#timer = setInterval(() => this.#beat(), BEAT_MS).unref();
    void this.#begin();
  }

  stop(): void {
    clearInterval(this.#timer);
    if (this.#client !== undefined) leave(this.#client);
    this.#client = undefined;
    this.#leaveRivals();
  }

  #beat(): void {
    if (this.#client !== undefined && !this.#isSilent) void this.#ask(this.#client);
    else if (this.#rivals.size < RIVALS_MAX) void this.#begin();
  }

  async #ask(client: pg.Client): Promise<void> {
    this.#isSilent = true;
    try {
      await client.query("select 1");
    } catch {
      return this.#lose(client);
    }
    if (this.#client !== client) return;
    this.#isSilent = false;
    this.#leaveRivals();
  }

  async #begin(): Promise<void> {
    const sinceMs = performance.now();
    const rival = this.#session.client();
    this.#rivals.add(rival);
    rival
      .on("error", () => this.#lose(rival))
      .on("end", () => this.#lose(rival))
      .on("notification", ({ payload = "" }) => {
        // One that does not count yet tells once when it does.
        if (this.#client === rival) this.#tell(payload);
      });
    try {
      await this.#session.open(rival);
      await rival.query(`listen ${this.#channel}`);
    } catch {
      return this.#lose(rival);
    }
    if (this.#rivals.delete(rival)) this.#goOnWith(rival, sinceMs);
  }

  #goOnWith(rival: pg.Client, sinceMs: number): void {
    const before = this.#client;
    this.#client = rival;
    this.#leaveRivals();
    if (before !== undefined) leave(before);
    // A connection that was reset says so to all who use it; one that fell silent leaves each of them to its own timeout.
    if (this.#isSilent) this.#session.forsake(sinceMs);
    this.#isSilent = false;
    this.#tell();
  }

  #lose(client: pg.Client): void {
    this.#rivals.delete(client);
    if (this.#client === client) this.#client = undefined;
    leave(client);
  }

  #leaveRivals(): void {
    for (const rival of this.#rivals) leave(rival);
    this.#rivals.clear();
  }
}

function leave(client: pg.Client): void {
  void client.end().catch(() => undefined);
}
