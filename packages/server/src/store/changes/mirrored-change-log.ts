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
 * the log itself does.
 */
export class MirroredChangeLog implements ChangeLog {
  readonly #log: ChangeLog;
  readonly #options: MirrorOptions;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(log: ChangeLog, options: MirrorOptions) {
    this.#log = log;
    this.#options = options;
  }

  async load(): Promise<Kept> {
    try {
      const kept = await this.#log.load();
      this.#changed();
      return kept;
    } catch (error) {
      const isAway = error instanceof ProblemError && error.code === "store_unavailable";
      const kept = isAway ? await readMirror(this.#options.file) : undefined;
      if (kept === undefined) throw error;
      this.#options.onFault(error);
      return kept;
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
    const { file, onFault } = this.#options;
    this.#writing = this.#writing
      .then(async () => writeMirror(file, await this.#log.load()))
      .catch((error) => {
        onFault(error);
        // Kept as due: the log may be away just now.
        this.#changed();
      });
  }
}
