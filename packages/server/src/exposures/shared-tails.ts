import type { EpochMs, Json } from "@belay/protocol";
import type { Bus } from "../store/bus/index.ts";
import { type EventTails, framesOf, type KnownTail, type ShownBatch } from "./tail.ts";

export interface SharedTailsOptions {
  readonly bus: Bus;
  readonly tails: EventTails;
  readonly now: () => EpochMs;
  /** How often it says what is watched here. Default 1 s: so long a new tail sees this server's events alone. */
  readonly everyMs?: number;
}

/** A tail at another server, and what was sent to it in this second. */
interface Elsewhere {
  tail: KnownTail;
  heardAtMs: EpochMs;
  sent: number;
  skipped: number;
}

/** A server that says nothing for so long no longer watches. */
const FORGET_AFTER_MS = 3_500;

/** Whatever the bus says: more are not served. */
const TAILS_MAX = 500;

/**
 * Joins the tails of all servers: each says every second what is watched at it, and the others pick what fits out of what
 * they take in. While nobody watches anywhere a batch costs one look at an empty map.
 */
export class SharedTails {
  readonly #options: SharedTailsOptions;
  readonly #elsewhere = new Map<string, Elsewhere>();
  readonly #timer: NodeJS.Timeout;

  constructor(options: SharedTailsOptions) {
    this.#options = options;
    options.bus.subscribe("watched", (message) => this.#hearTails(message));
    options.bus.subscribe("taken", (message) => this.#hearTaken(message));
    this.#timer = setInterval(() => this.#turn(), options.everyMs ?? 1_000).unref();
  }

  /** A batch was acknowledged here. */
  take(batch: ShownBatch): void {
    for (const [id, elsewhere] of this.#elsewhere) {
      const { query, perSecond } = elsewhere.tail;
      const frames = framesOf(query, batch);
      const shown = frames.slice(0, Math.max(0, perSecond - elsewhere.sent));
      elsewhere.sent += shown.length;
      elsewhere.skipped += frames.length - shown.length;
      if (shown.length > 0) this.#options.bus.publish("taken", { id, frames: shown, skipped: 0 });
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Says what is watched here, and begins a new second for those who watch elsewhere. */
  #turn(): void {
    const { bus, tails, now } = this.#options;
    if (tails.size > 0) bus.publish("watched", tails.list() as unknown as Json);
    for (const [id, elsewhere] of this.#elsewhere) {
      if (elsewhere.skipped > 0) bus.publish("taken", { id, frames: [], skipped: elsewhere.skipped });
      elsewhere.sent = 0;
      elsewhere.skipped = 0;
      if (now() - elsewhere.heardAtMs > FORGET_AFTER_MS) this.#elsewhere.delete(id);
    }
  }

  #hearTails(message: Json): void {
    if (!Array.isArray(message)) return;
    for (const tail of message as unknown[]) {
      if (!isKnownTail(tail)) continue;
      const known = this.#elsewhere.get(tail.id);
      if (known === undefined && this.#elsewhere.size >= TAILS_MAX) return;
      const heardAtMs = this.#options.now();
      this.#elsewhere.set(tail.id, { sent: 0, skipped: 0, ...known, tail, heardAtMs });
    }
  }

  #hearTaken(message: Json): void {
    const { id, frames, skipped } = (message ?? {}) as Partial<Record<"id" | "frames" | "skipped", unknown>>;
    const isTaken = typeof id === "string" && Array.isArray(frames) && Number.isSafeInteger(skipped);
    if (isTaken && frames.every((frame) => typeof frame === "string")) {
      this.#options.tails.publishTo(id, frames as string[], skipped as number);
    }
  }
}

/** Looked at before it comes near a batch: what fails there would fail an SDK's request. */
function isKnownTail(message: unknown): message is KnownTail {
  const { id, query, perSecond } = (message ?? {}) as Partial<KnownTail>;
  const isQuery = typeof query?.project === "string" && (query.kind === "exposures" || query.kind === "metrics");
  const isSeen = query?.environments === undefined || Array.isArray(query.environments);
  return typeof id === "string" && isQuery && isSeen && Number.isSafeInteger(perSecond);
}
