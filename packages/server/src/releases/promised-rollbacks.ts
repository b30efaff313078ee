import type { EpochMs, ReleaseReason } from "@belay/protocol";
import type { Origin } from "../control/command.ts";
import { storeFault } from "../store/sqlite/faults.ts";
import { readSummed, writeSummed } from "../store/summed-file.ts";
import type { ReleaseId } from "./watchtower.ts";

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
   * Durable once it resolves. Of one release the first promise stands: who asks again is promised the same.
   *
   * @throws ProblemError when it cannot be written down; nothing is promised then
   */
  async add(promised: PromisedRollback): Promise<void> {
    const name = nameOf(promised.id);
    const isNew = !this.#waiting.has(name);
    if (isNew) this.#waiting.set(name, promised);
    try {
      await this.#write();
    } catch (error) {
      if (isNew) this.#waiting.delete(name);
      throw storeFault(error, "The file of promised rollbacks");
    }
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
    this.#writing = written.catch(() => undefined);
    return written;
  }
}

function nameOf({ project, environment, key }: ReleaseId): string {
  return `${project}/${environment}/${key}`;
}
