import { createHash } from "node:crypto";
import type { Json, RelayBrief, RelayState, Revision } from "@belay/protocol";
import type { Feed } from "../snapshots/feed.ts";
import { eventFrame } from "../stream/frames.ts";
import type { StreamSource } from "../stream/hub.ts";

/** What relays hear of one environment: all rules, and the brief that says whom to let in and what pages may see. */
export class BriefedFeed implements StreamSource {
  readonly #feed: Feed;
  readonly #listeners = new Set<(frame: Buffer) => void>();
  #brief: RelayBrief;
  #text = "";
  #frame: Buffer = Buffer.alloc(0);
  #tag = "";

  constructor(feed: Feed, brief: RelayBrief) {
    this.#feed = feed;
    this.#brief = brief;
    this.renew(brief);
  }

  get revision(): Revision {
    return this.#feed.revision;
  }

  /** Names what `state` gives. */
  get etag(): string {
    return `"${this.revision}-${this.#tag}"`;
  }

  /** Tells a brief where it differs. Called before the feed goes on to what it belongs to: it comes first. */
  renew(brief: RelayBrief): void {
    const text = JSON.stringify(brief as unknown as Json);
    if (text === this.#text) return;
    this.#brief = brief;
    this.#text = text;
    this.#frame = eventFrame("brief", text);
    this.#tag = createHash("sha256").update(text).digest("base64url").slice(0, 16);
    for (const listener of this.#listeners) listener(this.#frame);
  }

  onChange(listener: (frame: Buffer) => void): () => void {
    this.#listeners.add(listener);
    const unsubscribe = this.#feed.onChange(listener);
    return () => {
      this.#listeners.delete(listener);
      unsubscribe();
    };
  }

  /** The brief, and what brings a relay up to date that holds `held`. */
  catchUp(held: Revision | undefined): readonly Buffer[] {
    return [this.#frame, ...this.#feed.catchUp(held)];
  }

  /** Both as they are now. */
  get state(): RelayState {
    return { brief: this.#brief, snapshot: this.#feed.snapshot };
  }
}
