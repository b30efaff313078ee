import { randomUUID } from "node:crypto";
import type { Json } from "@belay/protocol";
import type { Bus, Topic } from "./bus.ts";
import { FrameQueue, readFrame } from "./frame.ts";
import { Listeners } from "./listeners.ts";
import { type RedisClient, type RedisOptions, redisClient } from "./redis-client.ts";

export interface RedisBusOptions {
  readonly redis: RedisOptions;
  /** Told once when the bus breaks, until it is whole again. */
  readonly onFault: (error: unknown) => void;
  /** How often it says something to itself to hear whether the way is open. Default 1 s. */
  readonly beatMs?: number;
  /** Bytes of messages that may wait. Default 1 MiB; what is on its way may be as much again. */
  readonly bytesMax?: number;
}

/** Beats not heard until the connections are made anew. */
const BEATS_MISSED_MAX = 3;

const BYTES_MAX = 1024 * 1024;

/** A topic of the bus itself. */
const BEAT = "beat";

/**
 * The bus over Redis: one channel, one publication at a time with all that was said meanwhile, so that a slow Redis costs
 * a bounded queue and a hung one the same. Each server hears its own beats: that tells of a Redis that hangs, of a
 * connection nobody ended and of a fail-over that left the two connections at different masters, where a connection by
 * itself would look well.
 */
export function redisBus(options: RedisBusOptions): Bus {
  return new RedisBus(options);
}

class RedisBus implements Bus {
  readonly #options: RedisBusOptions;
  readonly #id: string = randomUUID();
  readonly #channel: string;
  readonly #listeners = new Listeners();
  readonly #gapListeners: (() => void)[] = [];
  readonly #waiting: FrameQueue;
  readonly #publisher: RedisClient;
  readonly #subscriber: RedisClient;
  readonly #beat: NodeJS.Timeout;
  #isSending = false;
  #missed = 0;
  /** Does it hear itself? Not yet at the start. */
  #isWhole = false;
  #isToldOf = false;

  constructor(options: RedisBusOptions) {
    this.#options = options;
    this.#channel = `${options.redis.prefix}:bus`;
    this.#waiting = new FrameQueue(options.bytesMax ?? BYTES_MAX);
    this.#publisher = redisClient(options.redis);
    this.#subscriber = redisClient(options.redis);
    for (const client of [this.#publisher, this.#subscriber]) client.on("error", (error: unknown) => this.#broke(error));
    // Also after each reconnection: a subscription belongs to its connection.
    this.#subscriber.on("ready", () => void this.#subscribe());
    this.#subscriber.on("close", () => {
      this.#isWhole = false;
    });
    this.#subscriber.on("message", (_channel: string, text: string) => this.#hear(text));
    this.#beat = setInterval(() => this.#pulse(), options.beatMs ?? 1_000).unref();
  }

  publish(topic: Topic, message: Json): void {
    this.#say(topic, message);
  }

  subscribe(topic: Topic, listener: (message: Json) => void): () => void {
    return this.#listeners.add(topic, listener);
  }

  onGap(listener: () => void): void {
    this.#gapListeners.push(listener);
  }

  async close(): Promise<void> {
    clearInterval(this.#beat);
    for (const client of [this.#publisher, this.#subscriber]) client.disconnect(false);
  }

  async #subscribe(): Promise<void> {
    try {
      await this.#subscriber.subscribe(this.#channel);
      this.#say(BEAT, null);
    } catch (error) {
      this.#broke(error);
    }
  }

  #say(topic: string, message: Json): void {
    this.#waiting.add(topic, message);
    if (this.#isSending) return;
    this.#isSending = true;
    // After this turn: what is said together travels together.
    setImmediate(() => void this.#send());
  }

  async #send(): Promise<void> {
    while (!this.#waiting.isEmpty) {
      const frame = this.#waiting.take(this.#id);
      try {
        await this.#publisher.publish(this.#channel, frame);
      } catch (error) {
        // What waits longer than this is old news: positions are read again, receipts said again.
        this.#broke(error);
      }
    }
    this.#isSending = false;
  }

  #hear(text: string): void {
    const frame = readFrame(text);
    if (frame === undefined) return;
    if (frame.from === this.#id) {
      if (frame.said.some(([topic]) => topic === BEAT)) this.#heardItself();
      return;
    }
    for (const [topic, message] of frame.said) {
      try {
        this.#listeners.tell(topic, message);
      } catch (error) {
        this.#options.onFault(error);
      }
    }
  }

  #pulse(): void {
    this.#missed += 1;
    // The last beat was not heard: nor was, perhaps, what others said since.
    if (this.#missed > 1) this.#isWhole = false;
    if (this.#missed > BEATS_MISSED_MAX) {
      this.#missed = 0;
      this.#broke(new Error("Redis does not carry messages"));
      // One that is being made has timeouts of its own; cut while it asks sentinels for the master it would never try again.
      for (const client of [this.#publisher, this.#subscriber]) if (client.status === "ready") client.disconnect(true);
    }
    this.#say(BEAT, null);
  }

  #heardItself(): void {
    this.#missed = 0;
    this.#isToldOf = false;
    if (this.#isWhole) return;
    this.#isWhole = true;
    for (const listener of this.#gapListeners) listener();
  }

  #broke(error: unknown): void {
    this.#isWhole = false;
    if (this.#isToldOf) return;
    this.#isToldOf = true;
    this.#options.onFault(error);
  }
}
