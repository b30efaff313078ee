import type { Receipt, Revision } from "@belay/protocol";
import type { Platform, Stop } from "./ports.ts";

/** Every instance says at least this often which revision it runs. */
const REPEAT_MS = 60_000;

/** A change reaches all instances at once; their receipts are spread over this long, so that they do not delay the change itself. */
const SPREAD_MS = 1_000;

/** Tells the server which revision decides here: after each swap, and once a minute. Losing one costs a minute of knowledge. */
export class Receipts {
  readonly #platform: Platform;
  readonly #sender: { readonly instance: string; readonly sdk: string };
  #revision: Revision = 0;
  /** A receipt for a swap is about to go; further swaps until then ride along. */
  #isAboutToGo = false;
  #isClosed = false;
  #stopTimer: Stop | undefined;
  #stopPost: Stop | undefined;

  constructor(platform: Platform, sender: { readonly instance: string; readonly sdk: string }) {
    this.#platform = platform;
    this.#sender = sender;
  }

  /** Another revision decides from now on. */
  swapped(revision: Revision): void {
    this.#revision = revision;
    if (this.#isAboutToGo) return;
    this.#isAboutToGo = true;
    this.#arm(this.#platform.random() * SPREAD_MS);
  }

  close(): void {
    this.#isClosed = true;
    this.#stopTimer?.();
    this.#stopPost?.();
  }

  #arm(afterMs: number): void {
    if (this.#isClosed) return;
    this.#stopTimer?.();
    this.#stopTimer = this.#platform.timers.set(() => this.#send(), afterMs);
  }

  #send(): void {
    this.#isAboutToGo = false;
    const { instance, sdk } = this.#sender;
    const receipt: Receipt = { instance, sdk, revision: this.#revision };
    this.#stopPost?.();
    this.#stopPost = this.#platform.transport.post("receipt", JSON.stringify(receipt), () => {
      this.#stopPost = undefined;
    });
    this.#arm(REPEAT_MS);
  }
}
