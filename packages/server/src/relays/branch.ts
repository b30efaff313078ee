import { join } from "node:path";
import { Acknowledger } from "../store/events/acknowledger.ts";
import type { AppendReceipt, EventStoreStatus } from "../store/events/event-store.ts";
import type { IncomingBatch } from "../store/events/index.ts";
import { Followed, type FollowedOptions } from "./followed.ts";
import { Forwarder } from "./forwarder.ts";
import { ReceiptDesk } from "./receipt-desk.ts";
import { Upstream } from "./upstream.ts";

export interface BranchOptions extends Pick<FollowedOptions, "relay" | "random" | "onBrief" | "onRevision" | "onFault"> {
  /** Folder of its own. */
  readonly directory: string;
  readonly upstreamUrl: string;
  /** Key of kind `relay`. */
  readonly key: string;
  readonly now: () => number;
  /** Events are refused while this much waits to be forwarded. */
  readonly spoolBytesMax: number;
}

const SEGMENT_BYTES = 2 ** 22;
/** What is acknowledged here is on its way so much later. */
const SEGMENT_AGE_MS = 250;

/** One environment of a relay: what it follows, and what it carries back, each with a life of its own. */
export class Branch {
  readonly followed: Followed;
  readonly receipts: ReceiptDesk;
  readonly #acknowledger: Acknowledger;
  readonly #forwarder: Forwarder;

  private constructor(parts: { followed: Followed; receipts: ReceiptDesk; acknowledger: Acknowledger; forwarder: Forwarder }) {
    this.followed = parts.followed;
    this.receipts = parts.receipts;
    this.#acknowledger = parts.acknowledger;
    this.#forwarder = parts.forwarder;
  }

  static async open(options: BranchOptions): Promise<Branch> {
    const { directory, upstreamUrl, key, relay, now, spoolBytesMax, onFault } = options;
    const upstream = new Upstream(upstreamUrl, key, relay);
    const forwarder = await Forwarder.open({ upstream, file: join(directory, "forwarded.json"), now });
    const acknowledger = await Acknowledger.open({
      directory: join(directory, "spool"),
      load: (segments) => forwarder.load(segments),
      segmentBytes: SEGMENT_BYTES,
      segmentAgeMs: SEGMENT_AGE_MS,
      spoolBytesMax,
      now,
      log: onFault,
    });
    const receipts = new ReceiptDesk({ upstream, relay, now });
    const followed = await Followed.open({ ...options, upstream });
    return new Branch({ followed, receipts, acknowledger, forwarder });
  }

  append(batch: IncomingBatch): Promise<AppendReceipt> {
    return this.#acknowledger.append(batch);
  }

  /** What was acknowledged here and the upstream has not taken yet. */
  status(): EventStoreStatus {
    return this.#acknowledger.status();
  }

  /** Batches the upstream took, since the start. */
  get forwarded(): number {
    return this.#forwarder.forwarded;
  }

  async close(): Promise<void> {
    this.receipts.close();
    this.followed.close();
    await this.#acknowledger.close(async () => this.#forwarder.close());
  }
}
