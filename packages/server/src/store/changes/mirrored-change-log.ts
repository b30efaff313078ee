import type { EpochMs } from "@belay/protocol";
import { ProblemError } from "../../http/problem.ts";
import type {
  ChangeFilter,
  ChangeId,
  ChangeLog,
  Commit,
  CommitOutcome,
  Entry,
  IdempotencyKey,
  Kept,
  StoredAnswer,
  StoredChange,
  StoredDocument,
  Stream,
} from "./change-log.ts";
import { readMirror, writeMirror } from "./mirror-file.ts";

export interface MirrorOptions {
  readonly file: string;
  /** Told when the file could not be written, or when a start had to read it. */
  readonly onFault: (error: unknown) => void;
  /** From a change to the file that holds it. Default 5 s: changes that come together are written once. */
  readonly delayMs?: number;
}

/**
 * A change log that is somewhere else, with a mirror of its present state in a file here. A server that starts while the
 * log is away starts from the mirror: it decides, streams and answers as when it last saw the log, and refuses writes as
 * the log itself does. It starts from the mirror too where the log is there and lacks what the mirror holds, or is another
 * log: whoever follows the log from there finds out which, and another log never takes the mirror's place.
 */
export class MirroredChangeLog implements ChangeLog {
  readonly #log: ChangeLog;
  readonly #options: MirrorOptions;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  #isStarted = false;
  /** The mark of the first change, once one was seen. */
  #first: string | undefined;

  constructor(log: ChangeLog, options: MirrorOptions) {
    this.#log = log;
    this.#options = options;
  }

  async load(): Promise<Kept> {
    if (this.#isStarted) return this.#log.load();
    const mirror = await readMirror(this.#options.file);
    const kept = await this.#startFrom(mirror);
    this.#isStarted = true;
    this.#first = kept.marks?.first;
    if (kept !== mirror) this.#changed();
    return kept;
  }

  async #startFrom(mirror: Kept | undefined): Promise<Kept> {
    try {
      const kept = await this.#log.load();
      return mirror?.marks === undefined || (await this.#log.markOf(mirror.position)) === mirror.marks.last ? kept : mirror;
    } catch (error) {
      const isAway = error instanceof ProblemError && error.code === "store_unavailable";
      if (mirror === undefined || !isAway) throw error;
      this.#options.onFault(error);
      return mirror;
    }
  }

  async commit(commit: Commit): Promise<CommitOutcome> {
    const outcome = await this.#log.commit(commit);
    if (outcome.status === "committed") this.#changed();
    return outcome;
  }

  async entriesAfter(position: ChangeId, limit: number): Promise<readonly Entry[]> {
    const entries = await this.#log.entriesAfter(position, limit);
    if (entries.length > 0) this.#changed();
    return entries;
  }

  /** Writes what is still to be written, and closes the log. */
  async close(): Promise<void> {
    if (this.#timer !== undefined) {
      clearTimeout(this.#timer);
      this.#write();
    }
    await this.#writing;
    await this.#log.close();
  }

  documentsAt(project: string, position: ChangeId): Promise<readonly StoredDocument[]> {
    return this.#log.documentsAt(project, position);
  }

  positionOf(stream: Stream, revision: number): Promise<ChangeId | undefined> {
    return this.#log.positionOf(stream, revision);
  }

  changes(filter: ChangeFilter, limit: number): Promise<readonly StoredChange[]> {
    return this.#log.changes(filter, limit);
  }

  change(id: ChangeId): Promise<StoredChange | undefined> {
    return this.#log.change(id);
  }

  markOf(id: ChangeId): Promise<string | undefined> {
    return this.#log.markOf(id);
  }

  answer(key: IdempotencyKey): Promise<StoredAnswer | undefined> {
    return this.#log.answer(key);
  }

  forgetAnswers(before: EpochMs): Promise<number> {
    return this.#log.forgetAnswers(before);
  }

  takeLease(name: string, holder: string, times: { now: EpochMs; until: EpochMs }): Promise<number | undefined> {
    return this.#log.takeLease(name, holder, times);
  }

  releaseLease(name: string, holder: string): Promise<void> {
    return this.#log.releaseLease(name, holder);
  }

  watch(onChange: () => void): () => void {
    return this.#log.watch(onChange);
  }

  #changed(): void {
    this.#timer ??= setTimeout(() => this.#write(), this.#options.delayMs ?? 5_000).unref();
  }

  /** One file after the other; what changes meanwhile is written by the next one. */
  #write(): void {
    this.#timer = undefined;
    const { onFault } = this.#options;
    this.#writing = this.#writing
      .then(() => this.#writeNow())
      .catch((error) => {
        onFault(error);
        // Kept as due: the log may be away just now.
        this.#changed();
      });
  }

  async #writeNow(): Promise<void> {
    const kept = await this.#log.load();
    this.#first ??= kept.marks?.first;
    if (kept.marks?.first === this.#first) await writeMirror(this.#options.file, kept);
  }
}
