import type pg from "pg";
import type { PostgresSession } from "./session.ts";

const AGAIN_MS = 250;

/**
 * A connection that listens to a channel, made again whenever it breaks. What was missed meanwhile is asked for by telling
 * once more: also at the very start.
 */
export class PostgresListener {
  readonly #session: PostgresSession;
  readonly #channel: string;
  readonly #tell: (payload?: string) => void;
  #client: pg.Client | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  /**
   * @param channel a name of this code, never one of a user: it goes into the statement as it is.
   * @param tell without a payload: something may have been missed
   */
  constructor(session: PostgresSession, channel: string, tell: (payload?: string) => void) {
    this.#session = session;
    this.#channel = channel;
    this.#tell = tell;
    void this.#listen();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    void this.#client?.end().catch(() => undefined);
  }

  async #listen(): Promise<void> {
    const client = this.#session.client();
    this.#client = client;
    const again = (): void => {
      if (this.#client !== client || this.#isStopped) return;
      this.#client = undefined;
      void client.end().catch(() => undefined);
      this.#timer = setTimeout(() => void this.#listen(), AGAIN_MS).unref();
    };
    client
      .on("error", again)
      .on("end", again)
      .on("notification", ({ payload = "" }) => this.#tell(payload));
    try {
      await client.connect();
      await client.query(`listen ${this.#channel}`);
      this.#tell();
    } catch {
      again();
    }
  }
}
