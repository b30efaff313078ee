import type { EpochMs } from "@belay/protocol";
import type { Use, UsedKind, UseStore } from "../store/uses/index.ts";

export type { UsedKind } from "../store/uses/index.ts";

export interface UseBookOptions {
  readonly now: () => EpochMs;
  /** Absent: kept in memory. */
  readonly store?: UseStore;
  /** Told when the store failed; the next write holds what it missed. */
  readonly onFault?: (error: unknown) => void;
}

/** How stale a last use may be, and how often one name is written at most. */
const USE_PRECISION_MS = 60_000;

/**
 * When each key and token was last used. A use costs one look-up; the store is written once a minute, and each name that
 * was used since at most once in that.
 */
export class UseBook {
  readonly #options: UseBookOptions;
  readonly #last = new Map<string, Use>();
  readonly #unwritten = new Map<string, Use>();
  readonly #timer: NodeJS.Timeout | undefined;

  constructor(options: UseBookOptions, known: readonly Use[] = []) {
    this.#options = options;
    for (const use of known) this.#last.set(nameOf(use), use);
    if (options.store !== undefined) this.#timer = setInterval(() => this.write(), USE_PRECISION_MS).unref();
  }

  static async open(options: UseBookOptions & { readonly store: UseStore }): Promise<UseBook> {
    return new UseBook(options, options.store.all());
  }

  note(kind: UsedKind, id: string): void {
    const name = nameOf({ kind, id });
    const at = this.#options.now();
    const last = this.#last.get(name);
    if (last !== undefined && at - last.at < USE_PRECISION_MS && at >= last.at) return;
    const use = { kind, id, at };
    this.#last.set(name, use);
    this.#unwritten.set(name, use);
  }

  /** What a view says of it; nothing where it was never seen used. */
  shown(kind: UsedKind, id: string): { readonly lastUsedAt?: string } {
    const last = this.#last.get(nameOf({ kind, id }));
    return last === undefined ? {} : { lastUsedAt: new Date(last.at).toISOString() };
  }

  /** Writes what was noted since the last time. */
  write(): void {
    const uses = [...this.#unwritten.values()];
    if (uses.length === 0 || this.#options.store === undefined) return;
    try {
      this.#options.store.put(uses);
      this.#unwritten.clear();
    } catch (error) {
      this.#options.onFault?.(error);
    }
  }

  close(): void {
    clearInterval(this.#timer);
    this.write();
    this.#options.store?.close();
  }
}

const nameOf = ({ kind, id }: Pick<Use, "kind" | "id">): string => `${kind} ${id}`;
