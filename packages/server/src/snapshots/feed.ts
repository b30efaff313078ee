import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import { diffSnapshots } from "@belay/core";
import type { Json, Revision, Snapshot, SnapshotChange } from "@belay/protocol";
import type { LiveSnapshot, Touched } from "../state/snapshots.ts";
import { changeFrame, snapshotFrame } from "../stream/frames.ts";

export type Encoding = "identity" | "gzip" | "br";

export interface FeedLimits {
  /** Changes kept for clients that come back. */
  readonly changesKept: number;
  /** Bytes of them; whichever bound comes first. */
  readonly bytesKept: number;
}

const FEED_LIMITS: FeedLimits = { changesKept: 1_000, bytesKept: 8 * 1024 * 1024 };

export interface PublishOptions {
  readonly touched?: Touched | undefined;
  readonly isWhole?: boolean;
}

/** A change as it goes to sockets, with the revision it starts from. */
interface KeptChange {
  readonly from: Revision;
  readonly frame: Buffer;
}

const brotli = promisify(brotliCompress);
const deflate = promisify(gzip);

/**
 * What one environment sends to SDKs of one kind: the snapshot of now, ready in each encoding once per revision, and the
 * latest changes for those that come back.
 */
export class Feed {
  readonly #limits: FeedLimits;
  readonly #listeners = new Set<(frame: Buffer, change: SnapshotChange) => void>();
  #snapshot: LiveSnapshot;
  #rendered = new Rendered();
  #changes: KeptChange[] = [];
  #bytes = 0;

  constructor(snapshot: LiveSnapshot, limits: FeedLimits = FEED_LIMITS) {
    this.#snapshot = snapshot;
    this.#limits = limits;
  }

  get revision(): Revision {
    return this.#snapshot.head.revision;
  }

  /** The snapshot of now. */
  get snapshot(): Snapshot {
    return this.#snapshot.whole;
  }

  /** Calls `listener` with every change from now on, encoded and as it is; returns how to stop. */
  onChange(listener: (frame: Buffer, change: SnapshotChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Makes a newer snapshot the one of now and tells the listeners at once.
   *
   * @param how `touched`: what may differ; everything is compared when absent. `isWhole`: clients get the whole snapshot
   * instead of what differs, now and when they come back.
   * @returns whether it was newer
   */
  publish(next: LiveSnapshot, { touched, isWhole = false }: PublishOptions = {}): boolean {
    if (next.head.revision <= this.revision) return false;
    const change = diffSnapshots(narrowed(this.#snapshot, touched), narrowed(next, touched));
    this.#snapshot = next;
    this.#rendered = new Rendered();
    const frame = isWhole ? this.#rendered.frame(next.whole) : changeFrame(change);
    if (isWhole) this.#forget();
    else this.#keep({ from: change.from, frame });
    for (const listener of this.#listeners) listener(frame, change);
    return true;
  }

  /** The JSON of the snapshot, compressed as asked; made on first demand and kept until the next revision. */
  body(encoding: Encoding): Promise<Buffer> {
    return this.#rendered.body(this.#snapshot.whole, encoding);
  }

  /** The same where it was made before; `undefined` until then. */
  readyBody(encoding: Encoding): Buffer | undefined {
    return this.#rendered.ready.get(encoding);
  }

  /** What brings a client up to date that holds `held`: the changes since, or the whole snapshot. */
  catchUp(held: Revision | undefined): readonly Buffer[] {
    if (held === this.revision) return [];
    const from = held === undefined ? -1 : this.#changes.findIndex((change) => change.from === held);
    return from === -1 ? [this.#rendered.frame(this.#snapshot.whole)] : this.#changes.slice(from).map(({ frame }) => frame);
  }

  #forget(): void {
    this.#changes = [];
    this.#bytes = 0;
  }

  #keep(change: KeptChange): void {
    this.#changes.push(change);
    this.#bytes += change.frame.length;
    while (this.#changes.length > this.#limits.changesKept || this.#bytes > this.#limits.bytesKept) {
      this.#bytes -= this.#changes.shift()?.frame.length ?? this.#bytes;
    }
  }
}

/** The part of a snapshot that may differ: comparing it costs what was touched, not what there is. */
function narrowed(snapshot: LiveSnapshot, touched: Touched | undefined): Snapshot {
  if (touched === undefined) return snapshot.whole;
  const part = snapshot.part(touched.flags);
  return touched.segments ? part : { ...part, segments: {} };
}

/** One revision's bytes, each form made once. */
class Rendered {
  #text: string | undefined;
  #frame: Buffer | undefined;
  readonly #bodies = new Map<Encoding, Promise<Buffer>>();
  readonly ready: Map<Encoding, Buffer> = new Map();

  body(snapshot: Snapshot, encoding: Encoding): Promise<Buffer> {
    let body = this.#bodies.get(encoding);
    if (body === undefined) {
      body = compress(Buffer.from(this.#json(snapshot)), encoding);
      body.then(
        (bytes) => this.ready.set(encoding, bytes),
        () => {},
      );
      this.#bodies.set(encoding, body);
    }
    return body;
  }

  frame(snapshot: Snapshot): Buffer {
    this.#frame ??= snapshotFrame(snapshot.revision, this.#json(snapshot));
    return this.#frame;
  }

  #json(snapshot: Snapshot): string {
    this.#text ??= JSON.stringify(snapshot as unknown as Json);
    return this.#text;
  }
}

function compress(plain: Buffer, encoding: Encoding): Promise<Buffer> {
  switch (encoding) {
    case "identity":
      return Promise.resolve(plain);
    case "gzip":
      return deflate(plain);
    case "br":
      // Quality 5 is near gzip's time and well below its size; 11, the default, takes seconds for a large snapshot.
      return brotli(plain, { params: { [constants.BROTLI_PARAM_QUALITY]: 5, [constants.BROTLI_PARAM_SIZE_HINT]: plain.length } });
  }
}
