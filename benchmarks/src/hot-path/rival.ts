import type { FlagWork, User } from "./work.ts";

/** An SDK under test, behind one face. Adapters of rivals live in `benchmarks/rivals`, ours beside this file. */
export interface Rival {
  /** The name of its npm package. */
  readonly name: string;
  readonly version: string;
  /** What a reader must know of how it was asked. */
  readonly note?: string;
  /** How it answers; an `async` one is awaited call by call. */
  readonly answers: "sync" | "async";
  /** Where it hands an exposure to, with what reduces them; absent: it has no exposures. */
  readonly tracks?: string;
  /** The flags in the SDK's own format, as a text: what it would receive or read. */
  document(flags: readonly FlagWork[], options: OpenOptions): string;
  /** From the text in memory to a client that answers. */
  open(document: string, options: OpenOptions): Promise<OpenClient>;
}

export interface OpenOptions {
  /** Exposures are on and go to a stubbed sink; otherwise they are off wherever the SDK has a way to turn them off. */
  readonly isTracking: boolean;
  /** One flag will be swapped: connect the way changes arrive. */
  readonly isSwapped?: boolean;
}

/** From the flags to a client that answers. */
export function openWith(rival: Rival, flags: readonly FlagWork[], options: OpenOptions): Promise<OpenClient> {
  return rival.open(rival.document(flags, options), options);
}

/** A context in whatever form the SDK takes it. */
export type Context = unknown;

export interface OpenClient {
  /** A fresh context object. */
  context(user: User): Context;
  /** The answer for a boolean flag, asked with the default `fallback`. */
  isOn(key: string, context: Context, fallback: boolean): boolean | Promise<boolean>;
  /** The variant's name, asked with the default `control`. */
  variant(key: string, context: Context): string | Promise<string>;
  /** How many of the flags are on, where the SDK has a call for all at once that its makers recommend. */
  countAllOn?(keys: readonly string[], context: Context): number | Promise<number>;
  /** Exposures of experiments the sink has received so far; flushes first. */
  exposures?(): number | Promise<number>;
  /** Readies everything a change of one flag needs; what it returns hands the change over. Absent: the SDK only polls. */
  prepareSwap?(flags: readonly FlagWork[], changed: FlagWork): (() => void | Promise<void>) | Promise<() => void | Promise<void>>;
  close(): void | Promise<void>;
}
