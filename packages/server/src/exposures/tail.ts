import { randomUUID } from "node:crypto";
import type { ServerResponse } from "node:http";
import type { Exposure, MetricEvent } from "@belay/protocol";
import type { EventKind, EventQuery, IncomingBatch } from "../store/events/index.ts";

export interface TailLimits {
  /** Tails at once; one more is refused. */
  readonly tailsMax: number;
  /** Bytes a reader may leave unread before it is cut. */
  readonly bufferMax: number;
  /** A tail is ended after so long, so that it asks again with a token that still holds. */
  readonly lifeMs: number;
}

const TAIL_LIMITS: TailLimits = { tailsMax: 50, bufferMax: 262_144, lifeMs: 600_000 };

export interface TailRequest {
  /** Which events; moments are not looked at, for everything is new. */
  readonly query: EventQuery;
  /** At most so many in a second: the first ones; the others are counted. */
  readonly perSecond: number;
}

/** What a tail shows of a batch. */
export type ShownBatch = Pick<
  IncomingBatch,
  "project" | "environment" | "instance" | "sdk" | "receivedAtMs" | "exposures" | "metrics"
>;

/** A tail as other servers know it. */
export interface KnownTail extends TailRequest {
  readonly id: string;
}

interface Tail extends KnownTail {
  readonly response: ServerResponse;
  readonly end: () => void;
  sent: number;
  skipped: number;
}

/**
 * Events as this server takes them in, for people who watch. Nothing is kept for a watcher and nothing waits for one: the
 * first few of each second are written, the rest is counted, and who does not read is cut.
 */
export class EventTails {
  readonly #limits: TailLimits;
  readonly #tails = new Set<Tail>();
  #second: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(limits: Partial<TailLimits> = {}) {
    this.#limits = { ...TAIL_LIMITS, ...limits };
  }

  get size(): number {
    return this.#tails.size;
  }

  get isFull(): boolean {
    return this.#isClosed || this.#tails.size >= this.#limits.tailsMax;
  }

  /** Writes to a response whose head was sent, until either side ends it. */
  open(response: ServerResponse, request: TailRequest): void {
    const life = setTimeout(() => tail.end(), this.#limits.lifeMs).unref();
    const id = randomUUID();
    const tail: Tail = { ...request, id, response, sent: 0, skipped: 0, end: () => void response.end("retry: 1000\n\n") };
    this.#tails.add(tail);
    this.#second ??= setInterval(() => this.#turn(), 1_000).unref();
    response.once("close", () => {
      clearTimeout(life);
      this.#tails.delete(tail);
      if (this.#tails.size > 0) return;
      clearInterval(this.#second);
      this.#second = undefined;
    });
    response.write(": watching\n\n");
  }

  /** Shows a batch that was just acknowledged. Costs nothing while nobody watches. */
  publish(batch: ShownBatch): void {
    for (const tail of this.#tails) this.#show(tail, framesOf(tail.query, batch));
  }

  /** Shows what another server took in for a tail here, within the same bound. Without effect once the tail has ended. */
  publishTo(id: string, frames: readonly string[], skipped: number): void {
    for (const tail of this.#tails) {
      if (tail.id !== id) continue;
      tail.skipped += skipped;
      this.#show(tail, frames);
    }
  }

  /** Every tail there is, for other servers to know. */
  list(): KnownTail[] {
    return [...this.#tails].map(({ id, query, perSecond }) => ({ id, query, perSecond }));
  }

  /** Ends every tail. */
  close(): void {
    this.#isClosed = true;
    for (const tail of this.#tails) tail.end();
  }

  #show(tail: Tail, frames: readonly string[]): void {
    const shown = frames.slice(0, Math.max(0, tail.perSecond - tail.sent));
    tail.sent += shown.length;
    tail.skipped += frames.length - shown.length;
    if (shown.length > 0) this.#write(tail, shown.join(""));
  }

  /** Begins a new second, and says how many of the last one were not shown; without any, that the line lives. */
  #turn(): void {
    for (const tail of this.#tails) {
      this.#write(tail, tail.skipped > 0 ? frame("skipped", { count: tail.skipped }) : ":\n\n");
      tail.sent = 0;
      tail.skipped = 0;
    }
  }

  #write({ response }: Tail, text: string): void {
    if ((response.socket?.writableLength ?? 0) + text.length > this.#limits.bufferMax) response.destroy();
    else response.write(text);
  }
}

const NAMES: Readonly<Record<EventKind, string>> = { exposures: "exposure", metrics: "metric-event" };

const FILTERS = ["flag", "experiment", "release", "variant", "name", "unit"] as const;

/** The events of a batch that a query asks for, each as it is written. */
export function framesOf(query: EventQuery, batch: ShownBatch): string[] {
  if (query.project !== batch.project || query.environments?.includes(batch.environment) === false) return [];
  const events: readonly (Exposure | MetricEvent)[] = batch[query.kind];
  return events.filter((event) => fits(event, query)).map((event) => frame(NAMES[query.kind], viewOf(event, batch)));
}

function fits(event: Exposure | MetricEvent, query: EventQuery): boolean {
  if (query.differs !== undefined && !("differs" in event && event.differs === query.differs)) return false;
  const fields = event as Partial<Record<(typeof FILTERS)[number], string>>;
  return FILTERS.every((name) => query[name] === undefined || fields[name] === query[name]);
}

function viewOf({ timeMs, ...event }: Exposure | MetricEvent, batch: ShownBatch): object {
  const { environment, instance, sdk, receivedAtMs } = batch;
  const id = `${instance}-${event.seq}`;
  const received_at = new Date(receivedAtMs).toISOString();
  return { id, time: new Date(timeMs).toISOString(), received_at, environment, ...event, instance, sdk };
}

function frame(event: string, data: object): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
