import type { EpochMs, ReleaseReason } from "@belay/protocol";
import type { Origin } from "../control/command.ts";
import { readSummed, writeSummed } from "../store/summed-file.ts";
import { nameOf, type ReleaseId } from "./watchtower.ts";

/** A rollback that somebody was told will be made. */
export interface PromisedRollback {
  readonly id: ReleaseId;
  readonly reason: ReleaseReason;
  readonly origin: Origin;
  /** When it was asked for. */
  readonly at: EpochMs;
}

/**
 * Rollbacks that people and alerts asked for at this server while the change log was away, one a release, until the log has
 * them. Kept in a file, so that a server that is killed meanwhile still makes them.
 */
export class PromisedRollbacks {
  readonly #file: string | undefined;
  readonly #waiting: Map<string, PromisedRollback>;
  #writing: Promise<void> = Promise.resolve();
  /** Does the file hold what waits? */
  #isKept = true;

  /** Those that a life of this server before promised and did not make. */
  static async open(file: string): Promise<PromisedRollbacks> {
    const kept = (await readSummed(file)) as readonly PromisedRollback[] | undefined;
    return new PromisedRollbacks(file, kept);
  }

  /** @param file absent: they are kept in memory, and a restart forgets them. */
  constructor(file?: string, kept: readonly PromisedRollback[] = []) {
    this.#file = file;
    this.#waiting = new Map(kept.map((promised) => [nameOf(promised.id), promised]));
  }

  get waiting(): readonly PromisedRollback[] {
    return [...this.#waiting.values()];
  }

  /**
   * Of one release the first promise stands: who asks again is promised the same.
   *
   * @returns whether it is durable; where the disk takes nothing it is kept in memory, and written down once that is over
   */
  async add(promised: PromisedRollback): Promise<boolean> {
    const name = nameOf(promised.id);
    if (!this.#waiting.has(name)) this.#waiting.set(name, promised);
    await this.#write().catch(() => undefined);
    return this.#isKept;
  }

  /** Writes down what could not be before. */
  async keep(): Promise<void> {
    if (!this.#isKept) await this.#write().catch(() => undefined);
  }

  /** The log has it, or refused it for good. One that a crash leaves in the file is refused once more, and does no harm. */
  async settle({ id }: PromisedRollback): Promise<void> {
    this.#waiting.delete(nameOf(id));
    await this.#write();
  }

  #write(): Promise<void> {
    const file = this.#file;
    if (file === undefined) return Promise.resolve();
    const written = this.#writing.then(() => writeSummed(file, this.waiting));
    this.#writing = written.then(
      () => {
        this.#isKept = true;
      },
      () => {
        this.#isKept = false;
      },
    );
    return this.#writing.then(() => written);
  }
}
