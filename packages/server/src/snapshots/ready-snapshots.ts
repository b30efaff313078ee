import type { Access } from "../access/access.ts";
import { OTHER_ORIGINS_ALLOWED } from "../http/cross-origin.ts";
import { etagOf, tagMatches } from "../http/etag.ts";
import type { ReadyAnswer, ReadyDoor } from "../http/front.ts";
import { SECURITY_HEADERS } from "../http/security-headers.ts";
import { bestEncoding } from "./encoding.ts";
import type { Encoding, Feed } from "./feed.ts";
import type { FeedSource } from "./feeds.ts";

/** A key decides what it may see, so nobody but its holder may keep the answer. */
export const KEPT_BY_ITS_HOLDER: Readonly<Record<string, string>> = {
  "cache-control": "private, no-cache",
  vary: "authorization, accept-encoding",
};

export const JSON_TYPE = "application/json; charset=utf-8";

/** What a cache must know, and a page of another origin. */
const UNCHANGED = Object.entries({ ...OTHER_ORIGINS_ALLOWED, ...KEPT_BY_ITS_HOLDER }).flat();
const WHOLE = [...Object.entries(SECURITY_HEADERS).flat(), ...UNCHANGED];

/** The same answers as the route's, for keys that may have them, once the route made the bytes of a revision. */
export function readySnapshots(access: Pick<Access, "known">, feeds: FeedSource): ReadyDoor {
  const known = new WeakMap<Feed, ReadySnapshot>();
  return (headers) => {
    const sdk = access.known(headers);
    const feed = sdk === undefined || sdk.kind === "remote" ? undefined : feeds.of(sdk);
    if (feed === undefined) return undefined;
    let ready = known.get(feed);
    if (ready?.revision !== feed.revision) {
      ready = new ReadySnapshot(feed);
      known.set(feed, ready);
    }
    if (tagMatches(headers["if-none-match"], ready.etag)) return ready.unchanged;
    return ready.whole(bestEncoding(headers["accept-encoding"]));
  };
}

/** The answers of one revision. */
class ReadySnapshot {
  readonly revision: number;
  readonly etag: string;
  readonly unchanged: ReadyAnswer;
  readonly #feed: Feed;
  readonly #whole = new Map<Encoding, ReadyAnswer>();

  constructor(feed: Feed) {
    this.#feed = feed;
    this.revision = feed.revision;
    this.etag = etagOf(feed.revision);
    this.unchanged = { status: 304, headers: [...UNCHANGED, "etag", this.etag], body: undefined };
  }

  whole(encoding: Encoding): ReadyAnswer | undefined {
    const known = this.#whole.get(encoding);
    const body = known === undefined ? this.#feed.readyBody(encoding) : undefined;
    if (body === undefined) return known;
    const made = { status: 200 as const, headers: this.#headersOf(encoding, body), body };
    this.#whole.set(encoding, made);
    return made;
  }

  #headersOf(encoding: Encoding, { length }: Buffer): string[] {
    const coded = encoding === "identity" ? [] : ["content-encoding", encoding];
    return [...WHOLE, "etag", this.etag, ...coded, "content-type", JSON_TYPE, "content-length", String(length)];
  }
}
