import { randomUUID } from "node:crypto";
import type { Json } from "@belay/protocol";
import { PostgresListener } from "../postgres/listener.ts";
import { type PostgresOptions, PostgresSession } from "../postgres/session.ts";
import type { Bus, Topic } from "./bus.ts";
import { FrameQueue, readFrame } from "./frame.ts";
import { Listeners } from "./listeners.ts";

export interface PostgresBusOptions extends PostgresOptions {
  /** Told once when the bus breaks, until it carries something again. */
  readonly onFault: (error: unknown) => void;
}

const CHANNEL = "belay_bus";
/** Bytes of messages that may wait. */
const BYTES_MAX = 1024 * 1024;
/** A notification holds less than 8,000 bytes: what is longer travels in pieces. */
const PIECE_LENGTH = 7_800;

/**
 * The bus over PostgreSQL's own notifications, for servers that share a PostgreSQL and have no Redis: one publication at a
 * time with all that was said meanwhile. Nothing is kept, and a rollback of a transaction takes nothing along.
 */
export function postgresBus(options: PostgresBusOptions): Bus {
  return new PostgresBus(options);
}

class PostgresBus implements Bus {
  readonly #id: string = randomUUID();
  readonly #session: PostgresSession;
  readonly #listener: PostgresListener;
  readonly #listeners = new Listeners();
  readonly #gapListeners: (() => void)[] = [];
  readonly #waiting = new FrameQueue(BYTES_MAX);
  readonly #onFault: (error: unknown) => void;
  /** Pieces of the frame that each other server is sending. */
  readonly #pieces = new Map<string, string>();
  #sending: Promise<void> | undefined;
  #isToldOf = false;
  #isClosed = false;

  constructor({ onFault, ...options }: PostgresBusOptions) {
    this.#onFault = onFault;
    this.#session = new PostgresSession(options, { name: "The bus", connectionsMax: 1 });
    this.#listener = new PostgresListener(this.#session, CHANNEL, (payload) => {
      if (payload === undefined) this.#missed();
      else this.#hear(payload);
    });
  }

  publish(topic: Topic, message: Json): void {
    if (this.#isClosed) return;
    this.#waiting.add(topic, message);
    // After this turn: what is said together travels together.
    this.#sending ??= new Promise<void>((resolve) => setImmediate(resolve)).then(() => this.#send());
  }

  subscribe(topic: Topic, listener: (message: Json) => void): () => void {
    return this.#listeners.add(topic, listener);
  }

  onGap(listener: () => void): void {
    this.#gapListeners.push(listener);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#listener.stop();
    await this.#sending;
    await this.#session.end();
  }

  async #send(): Promise<void> {
    while (!this.#waiting.isEmpty && !this.#isClosed) {
      const pieces = piecesOf(this.#id, this.#waiting.take(this.#id));
      try {
        await this.#session.transaction(async (client) => {
          for (const piece of pieces) await client.query("select pg_notify($1, $2)", [CHANNEL, piece]);
        });
        this.#isToldOf = false;
      } catch (error) {
        // What waits longer than this is old news: positions are read again, receipts said again.
        if (!this.#isToldOf) this.#onFault(error);
        this.#isToldOf = true;
      }
    }
    this.#sending = undefined;
  }

  #missed(): void {
    this.#pieces.clear();
    for (const listener of this.#gapListeners) listener();
  }

  #hear(payload: string): void {
    const [from = "", at, count, text = ""] = payload.split(" ");
    if (from === this.#id) return;
    const whole = (at === "1" ? "" : (this.#pieces.get(from) ?? "")) + text;
    if (at !== count) {
      // Whatever others write into the channel: no more is held than a frame can be long.
      if (whole.length <= 2 * BYTES_MAX) this.#pieces.set(from, whole);
      return;
    }
    this.#pieces.delete(from);
    const frame = readFrame(Buffer.from(whole, "base64").toString());
    for (const [topic, message] of frame?.said ?? []) {
      try {
        this.#listeners.tell(topic, message);
      } catch (error) {
        this.#onFault(error);
      }
    }
  }
}

/** `sender number count text`: the pieces of a frame in order, each short enough and plain ASCII. */
function piecesOf(from: string, frame: string): string[] {
  const text = Buffer.from(frame).toString("base64");
  const count = Math.ceil(text.length / PIECE_LENGTH);
  return Array.from({ length: count }, (_, at) => {
    const piece = text.slice(at * PIECE_LENGTH, (at + 1) * PIECE_LENGTH);
    return `${from} ${at + 1} ${count} ${piece}`;
  });
}
