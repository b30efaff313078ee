import type { EpochMs } from "@belay/protocol";

/** A bucket a key, filled evenly, that holds one second's worth. */
export class RateLimit {
  readonly perSecond: number;
  readonly #now: () => EpochMs;
  readonly #buckets = new Map<string, { left: number; atMs: EpochMs }>();

  constructor(perSecond: number, now: () => EpochMs) {
    this.perSecond = perSecond;
    this.#now = now;
  }

  /** Takes one request of the key out of its bucket; `false` where it is empty. */
  take(keyId: string): boolean {
    const now = this.#now();
    const bucket = this.#buckets.get(keyId) ?? { left: this.perSecond, atMs: now };
    // A clock that was set back fills nothing and takes nothing away.
    const earned = (Math.max(0, now - bucket.atMs) * this.perSecond) / 1_000;
    const left = Math.min(this.perSecond, bucket.left + earned);
    this.#buckets.set(keyId, { left: left < 1 ? left : left - 1, atMs: now });
    return left >= 1;
  }
}
