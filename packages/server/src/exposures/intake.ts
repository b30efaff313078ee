import type { BatchReceipt, DuplicateTally } from "@belay/protocol";
import type { EventStore, IncomingBatch } from "../store/events/index.ts";
import { readBatch } from "./batch.ts";
import { EventTails, type TailLimits } from "./tail.ts";

export interface IntakeDeps {
  readonly events: Pick<EventStore, "append">;
  /** This server's clock in ms; `Date.now` by default. */
  readonly now?: () => number;
  readonly tails?: Partial<TailLimits>;
  /** Told of each batch that is on the disk, and must return at once: an answer waits behind it. */
  readonly onTaken?: (batch: IncomingBatch) => void;
  /** Told of each batch with counts, also one that was there already; must return at once. */
  readonly onCounted?: (batch: IncomingBatch) => void;
}

/** The one way events take into the store, whoever brings them. */
export class Intake {
  /** Shows what is taken in. */
  readonly tails: EventTails;
  readonly #events: Pick<EventStore, "append">;
  readonly #now: () => number;
  readonly #onTaken: ((batch: IncomingBatch) => void) | undefined;
  readonly #onCounted: ((batch: IncomingBatch) => void) | undefined;
  #rejected = 0;

  constructor({ events, now = Date.now, tails, onTaken, onCounted }: IntakeDeps) {
    this.tails = new EventTails(tails);
    this.#events = events;
    this.#now = now;
    this.#onTaken = onTaken;
    this.#onCounted = onCounted;
  }

  /** Events that were not fit to be stored, since the start. */
  get rejected(): number {
    return this.#rejected;
  }

  /**
   * Takes a batch as it came from the wire; resolves once what is fit to be stored is on the disk.
   *
   * @param duplicates what a relay left out of it, because it came again there
   * @throws ProblemError when the head is wrong, and what the store refuses
   */
  async take(
    body: unknown,
    { project, environment }: { readonly project: string; readonly environment: string },
    duplicates?: readonly DuplicateTally[],
  ): Promise<BatchReceipt> {
    const receivedAtMs = this.#now();
    const { head, rejected, ...lists } = readBatch(body);
    const { sentAtMs, ...sender } = head;
    const times = { receivedAtMs, clockOffsetMs: receivedAtMs - sentAtMs };
    const left = duplicates === undefined ? {} : { duplicates };
    const batch: IncomingBatch = { project, environment, ...sender, ...times, ...lists, ...left };
    const { accepted, duplicates: again } = await this.#events.append(batch);
    this.#rejected += rejected.length;
    if (accepted > 0 && this.tails.size > 0) this.tails.publish(batch);
    if (accepted > 0) this.#onTaken?.(batch);
    if (batch.counts.length > 0) this.#onCounted?.(batch);
    return { accepted, duplicates: again, rejected };
  }
}
