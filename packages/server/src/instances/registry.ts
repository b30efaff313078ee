import { type EpochMs, RELAYS_IN_A_ROW_MAX, type Receipt } from "@belay/protocol";
import type { SdkIdentity } from "../access/identity.ts";
import type { Bus } from "../store/bus/index.ts";

export interface SeenInstance extends Receipt {
  /** Relays the receipt came by, the one the instance speaks to first; absent where there was none. */
  readonly via?: readonly string[];
  readonly project: string;
  readonly environment: string;
  readonly seenAt: EpochMs;
}

/** A receipt as servers tell it each other. */
type Told = Omit<SeenInstance, "seenAt">;

/** Told of each receipt, and of the one before where the instance is known. */
export type ReceiptListener = (seen: SeenInstance, before?: SeenInstance) => void;

/** An SDK says where it stands every 60 s; one that missed five is gone. */
const FORGET_AFTER_MS = 5 * 60_000;

/** Bounds the memory whatever clients claim: the one heard of longest ago makes room. */
const INSTANCES_MAX = 50_000;

/**
 * Which revision each running SDK says it decides with. In memory: receipts are about now. Servers that share a bus tell
 * each other what they hear, so that each knows the instances of all.
 */
export class InstanceRegistry {
  readonly #now: () => EpochMs;
  // Written anew at each receipt, so that insertion order is the order of last words.
  readonly #seen = new Map<string, SeenInstance>();
  readonly #listeners: ReceiptListener[] = [];

  readonly #bus: Bus | undefined;

  constructor(now: () => EpochMs, bus?: Bus) {
    this.#now = now;
    this.#bus = bus;
    bus?.subscribe("receipt", (message) => {
      const told = message as unknown as Partial<Told> | null;
      if (isTold(told)) this.#keep(told);
    });
  }

  /** @param via relays it came by, the one the instance speaks to first */
  note({ project, environment }: Pick<SdkIdentity, "project" | "environment">, receipt: Receipt, via?: readonly string[]): void {
    const { instance, sdk, revision } = receipt;
    const told: Told = { project, environment, instance, sdk, revision, ...(via === undefined ? {} : { via }) };
    this.#keep(told);
    this.#bus?.publish("receipt", { ...told, ...(via === undefined ? {} : { via: [...via] }) });
  }

  #keep(told: Told): void {
    const id = JSON.stringify([told.project, told.environment, told.instance]);
    const before = this.#seen.get(id);
    this.#seen.delete(id);
    // By this server's clock, whoever heard it: another's may be wrong, and the way is short.
    const seen = { ...told, seenAt: this.#now() };
    this.#seen.set(id, seen);
    this.#forgetOld();
    for (const listener of this.#listeners) listener(seen, before);
  }

  /** Calls `listener` with every receipt from now on. */
  onReceipt(listener: ReceiptListener): void {
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

function isTold(told: Partial<Told> | null): told is Told {
  const texts = [told?.project, told?.environment, told?.instance, told?.sdk];
  const isVia = told?.via === undefined || (Array.isArray(told.via) && told.via.length <= RELAYS_IN_A_ROW_MAX);
  const names = [...texts, ...(isVia ? (told?.via ?? []) : [])];
  return isVia && names.every((text) => typeof text === "string" && text.length <= 256) && Number.isSafeInteger(told?.revision);
}
