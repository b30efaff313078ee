import type { EpochMs, Propagation, Revision } from "@belay/protocol";

export interface Publication {
  readonly revision: Revision;
  /** When the event that led to it was acknowledged. */
  readonly detectedAt?: EpochMs;
  readonly decidedAt: EpochMs;
  readonly publishedAt: EpochMs;
  /** Instances that ran when it was published. */
  readonly instances: readonly string[];
}

/** What a record says of those that acknowledged. */
type Written = Pick<Propagation, "acknowledged" | "ms50" | "ms95" | "ms100">;

/** The record of a publication nobody acknowledged yet: whoever reads it again knows whom it waits for. */
export function begun({ instances, ...publication }: Publication): Propagation {
  return new PropagationTracker({ ...publication, instances }).view();
}

/** Follows one revision to the instances that ran when it was published; instances that start later begin with it anyway. */
export class PropagationTracker {
  readonly #of: Publication;
  readonly #waiting: Set<string>;
  readonly #tookMs: number[] = [];
  /** Those that had acknowledged it when it was written down last. All of them did before anybody else here. */
  readonly #before: Written;

  /** Goes on from a record: with those that it still waits for, and the times that it knows. */
  static from(record: Propagation): PropagationTracker {
    const { revision, detectedAt, decidedAt, publishedAt, laggards } = record;
    const at = { revision, decidedAt: Date.parse(decidedAt), publishedAt: Date.parse(publishedAt), instances: laggards };
    return new PropagationTracker(detectedAt === undefined ? at : { ...at, detectedAt: Date.parse(detectedAt) }, record);
  }

  constructor(publication: Publication, before: Written = { acknowledged: 0 }) {
    this.#of = publication;
    this.#waiting = new Set(publication.instances);
    this.#before = before;
  }

  /** An instance says which revision it decides with. */
  note(instance: string, revision: Revision, at: EpochMs): void {
    if (revision >= this.#of.revision && this.#waiting.delete(instance)) this.#tookMs.push(at - this.#of.decidedAt);
  }

  get isComplete(): boolean {
    return this.#waiting.size === 0;
  }

  get acknowledged(): number {
    return this.#before.acknowledged + this.#tookMs.length;
  }

  get publishedAt(): EpochMs {
    return this.#of.publishedAt;
  }

  view(): Propagation {
    const { revision, detectedAt, decidedAt, publishedAt, instances } = this.#of;
    const ms50 = this.#before.ms50 ?? this.#within(0.5);
    const ms95 = this.#before.ms95 ?? this.#within(0.95);
    const ms100 = this.#before.ms100 ?? this.#within(1);
    return {
      revision,
      ...(detectedAt === undefined ? {} : { detectedAt: text(detectedAt) }),
      decidedAt: text(decidedAt),
      publishedAt: text(publishedAt),
      instances: this.#before.acknowledged + instances.length,
      acknowledged: this.acknowledged,
      ...(ms50 === undefined ? {} : { ms50 }),
      ...(ms95 === undefined ? {} : { ms95 }),
      ...(ms100 === undefined ? {} : { ms100 }),
      laggards: [...this.#waiting].sort(),
    };
  }

  /** Time until so large a share of all had acknowledged; `undefined` until they have, and where there was nobody to. */
  #within(share: number): number | undefined {
    const { acknowledged } = this.#before;
    const needed = Math.ceil(share * (acknowledged + this.#of.instances.length)) - acknowledged;
    return needed <= 0 ? undefined : [...this.#tookMs].sort((a, b) => a - b)[needed - 1];
  }
}

function text(at: EpochMs): string {
  return new Date(at).toISOString();
}
