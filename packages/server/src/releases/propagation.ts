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

/** Follows one revision to the instances that ran when it was published; instances that start later begin with it anyway. */
export class PropagationTracker {
  readonly #of: Publication;
  readonly #waiting: Set<string>;
  readonly #tookMs: number[] = [];

  constructor(publication: Publication) {
    this.#of = publication;
    this.#waiting = new Set(publication.instances);
  }

  /** An instance says which revision it decides with. */
  note(instance: string, revision: Revision, at: EpochMs): void {
    if (revision >= this.#of.revision && this.#waiting.delete(instance)) this.#tookMs.push(at - this.#of.decidedAt);
  }

  get isComplete(): boolean {
    return this.#waiting.size === 0;
  }

  get publishedAt(): EpochMs {
    return this.#of.publishedAt;
  }

  view(): Propagation {
    const { revision, detectedAt, decidedAt, publishedAt, instances } = this.#of;
    const [ms50, ms95, ms100] = [0.5, 0.95, 1].map((share) => this.#within(share));
    return {
      revision,
      ...(detectedAt === undefined ? {} : { detectedAt: text(detectedAt) }),
      decidedAt: text(decidedAt),
      publishedAt: text(publishedAt),
      instances: instances.length,
      acknowledged: this.#tookMs.length,
      ...(ms50 === undefined ? {} : { ms50 }),
      ...(ms95 === undefined ? {} : { ms95 }),
      ...(ms100 === undefined ? {} : { ms100 }),
      laggards: [...this.#waiting].sort(),
    };
  }

  /** Time until so large a share of all had acknowledged; `undefined` until they have, and where there was nobody to. */
  #within(share: number): number | undefined {
    const needed = Math.ceil(share * this.#of.instances.length);
    return needed === 0 ? undefined : [...this.#tookMs].sort((a, b) => a - b)[needed - 1];
  }
}

function text(at: EpochMs): string {
  return new Date(at).toISOString();
}
