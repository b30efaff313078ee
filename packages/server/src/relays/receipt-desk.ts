import { RELAYS_IN_A_ROW_MAX, type Receipt, type RelayedReceipt } from "@belay/protocol";
import type { Upstream } from "./upstream.ts";

export interface ReceiptDeskOptions {
  readonly upstream: Pick<Upstream, "send">;
  /** This relay's name in `via`. */
  readonly relay: string;
  readonly now: () => number;
}

/** From a receipt to the request that carries it: what many instances say of one change goes together. */
const GATHER_MS = 100;
const RETRY_MS = 1_000;
/** What is older says nothing about now: instances repeat themselves every minute. */
const KEPT_MS = 5 * 60_000;
const INSTANCES_MAX = 50_000;
const TOGETHER_MAX = 5_000;
const USED_EVERY_MS = 60_000;

interface Waiting {
  readonly receipt: RelayedReceipt;
  readonly sinceMs: number;
}

/** Carries receipts to the upstream: of each instance the newest, of which losing one costs a minute of knowledge. */
export class ReceiptDesk {
  readonly #options: ReceiptDeskOptions;
  readonly #leave = new AbortController();
  readonly #waiting = new Map<string, Waiting>();
  #used = new Set<string>();
  /** When a key's use was last carried. */
  readonly #usedMs = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;
  #isSending = false;

  constructor(options: ReceiptDeskOptions) {
    this.#options = options;
  }

  /** @param via relays it came by already; one that came in a circle goes no further */
  note({ instance, sdk, revision }: Receipt, via: readonly string[] = []): void {
    const { relay, now } = this.#options;
    if (via.includes(relay) || via.length >= RELAYS_IN_A_ROW_MAX) return;
    this.#put({ instance, sdk, revision, via: [...via, relay] }, now());
  }

  /** What the relay itself holds. */
  noteOwn(receipt: Receipt): void {
    this.#put({ ...receipt, via: [] }, this.#options.now());
  }

  /** An SDK key was shown: carried once a minute. */
  noteUse(keyId: string): void {
    const now = this.#options.now();
    if (now - (this.#usedMs.get(keyId) ?? Number.NEGATIVE_INFINITY) < USED_EVERY_MS) return;
    this.#usedMs.set(keyId, now);
    this.#used.add(keyId);
    this.#sendIn(GATHER_MS);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#leave.abort();
  }

  #put(receipt: RelayedReceipt, sinceMs: number): void {
    this.#waiting.delete(receipt.instance);
    this.#waiting.set(receipt.instance, { receipt, sinceMs });
    const [oldest] = this.#waiting.keys();
    if (this.#waiting.size > INSTANCES_MAX && oldest !== undefined) this.#waiting.delete(oldest);
    this.#sendIn(GATHER_MS);
  }

  #sendIn(afterMs: number): void {
    if (this.#isSending || this.#timer !== undefined || this.#leave.signal.aborted) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#send();
    }, afterMs).unref();
  }

  async #send(): Promise<void> {
    const horizon = this.#options.now() - KEPT_MS;
    for (const [instance, { sinceMs }] of this.#waiting) if (sinceMs < horizon) this.#waiting.delete(instance);
    const sent = [...this.#waiting.values()].slice(0, TOGETHER_MAX);
    const used = this.#used;
    if (sent.length + used.size === 0) return;
    this.#used = new Set();
    this.#isSending = true;
    const body = { receipts: sent.map(({ receipt }) => receipt), ...(used.size === 0 ? {} : { usedKeys: [...used] }) };
    const problem = await this.#options.upstream.send("receipts", body, this.#leave.signal);
    this.#isSending = false;
    if (problem !== undefined) {
      this.#used = new Set([...used, ...this.#used]);
      return this.#sendIn(RETRY_MS);
    }
    // What was said again meanwhile is another one, and goes by itself.
    for (const one of sent) if (this.#waiting.get(one.receipt.instance) === one) this.#waiting.delete(one.receipt.instance);
    if (this.#waiting.size + this.#used.size > 0) this.#sendIn(GATHER_MS);
  }
}
