import type { EpochMs, Revision } from "@belay/protocol";
import { etagOf } from "../http/etag.ts";
import type { Feed } from "../snapshots/feed.ts";
import { messageFrame } from "../stream/frames.ts";
import type { StreamSource } from "../stream/hub.ts";

/** What OFREP's event streams send of a feed: that something changed, never what. */
export class Notices implements StreamSource {
  readonly #feed: Feed;
  readonly #now: () => EpochMs;
  #latest: { readonly revision: Revision; readonly frame: Buffer } | undefined;

  constructor(feed: Feed, now: () => EpochMs) {
    this.#feed = feed;
    this.#now = now;
  }

  get revision(): Revision {
    return this.#feed.revision;
  }

  onChange(listener: (frame: Buffer) => void): () => void {
    return this.#feed.onChange(() => listener(this.#frame()));
  }

  /** What a client lacks that holds `held`. */
  catchUp(held: Revision | undefined): readonly Buffer[] {
    return held === this.revision ? [] : [this.#frame()];
  }

  /** Encoded once a revision, for all who listen. */
  #frame(): Buffer {
    const { revision } = this;
    if (this.#latest?.revision !== revision) this.#latest = { revision, frame: refetchFrame(revision, this.#now()) };
    return this.#latest.frame;
  }
}

function refetchFrame(revision: Revision, now: EpochMs): Buffer {
  const notice = { type: "refetchEvaluation", etag: etagOf(revision), lastModified: Math.floor(now / 1_000) };
  return messageFrame(revision, JSON.stringify(notice));
}
