import type { EpochMs, Json } from "@belay/protocol";

/**
 * What the servers that watch over a release tell each other of it, kept where all of them read it: each writes pages under
 * numbers of its own that rise by one, and reads those of the others after the last one it has. So nothing is lost while
 * somebody is away, and nothing is read twice.
 *
 *   run "shop/production/checkout@..."    server A: 1 - 2 - 3        server B: 1 - 2
 */
export interface SightingStore {
  /** Keeps pages. Durable once it resolves; a page that is kept already is left as it is, so that it may be sent again. */
  put(pages: readonly SightingPage[], now: EpochMs): Promise<void>;
  /** How far each writer of these runs got. */
  heads(runs: readonly string[]): Promise<readonly SightingHead[]>;
  /** The pages that a writer wrote after a number, in order. */
  after(head: SightingHead, limit: number): Promise<readonly SightingPage[]>;
  /** Forgets a run. */
  forget(run: string): Promise<void>;
  /** Forgets runs into which nobody wrote since a moment, save these; how many writers that were. */
  forgetIdle(since: EpochMs, save: readonly string[]): Promise<number>;
  /** Calls when another server may have written; returns what ends that. It may call in vain, and not at all while the store is away. */
  watch(onChange: () => void): () => void;
  close(): Promise<void>;
}

/** The last page of a writer in a run. */
export interface SightingHead {
  /** One start of one release. */
  readonly run: string;
  /** One life of one server. */
  readonly writer: string;
  readonly number: number;
}

export interface SightingPage extends SightingHead {
  readonly body: Json;
}
