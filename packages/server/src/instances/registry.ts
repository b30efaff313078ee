import type { EpochMs, Receipt } from "@belay/protocol";
import type { SdkIdentity } from "../access/identity.ts";

export interface SeenInstance extends Receipt {
  readonly project: string;
  readonly environment: string;
  readonly seenAt: EpochMs;
}

/** An SDK says where it stands every 60 s; one that missed five is gone. */
const FORGET_AFTER_MS = 5 * 60_000;

/** Bounds the memory whatever clients claim: the one heard of longest ago makes room. */
const INSTANCES_MAX = 50_000;

/** Which revision each running SDK says it decides with. In memory: receipts are about now. */
export class InstanceRegistry {
  readonly #now: () => EpochMs;
  // Written anew at each receipt, so that insertion order is the order of last words.
  readonly #seen = new Map<string, SeenInstance>();
  readonly #listeners: ((seen: SeenInstance) => void)[] = [];

  constructor(now: () => EpochMs) {
    this.#now = now;
  }

  note({ project, environment }: SdkIdentity, receipt: Receipt): void {
    const id = JSON.stringify([project, environment, receipt.instance]);
    this.#seen.delete(id);
    const seen = { ...receipt, project, environment, seenAt: this.#now() };
    this.#seen.set(id, seen);
    this.#forgetOld();
    for (const listener of this.#listeners) listener(seen);
  }

  /** Calls `listener` with every receipt from now on. */
  onReceipt(listener: (seen: SeenInstance) => void): void {
    this.#listeners.push(listener);
  }

  /** Instances of a project heard of in the last five minutes. */
  of(project: string): SeenInstance[] {
    this.#forgetOld();
    return [...this.#seen.values()].filter((seen) => seen.project === project);
  }

  #forgetOld(): void {
    const horizon = this.#now() - FORGET_AFTER_MS;
    for (const [id, { seenAt }] of this.#seen) {
      if (seenAt >= horizon && this.#seen.size <= INSTANCES_MAX) return;
      this.#seen.delete(id);
    }
  }
}
