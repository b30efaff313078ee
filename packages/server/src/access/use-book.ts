import type { EpochMs, Json } from "@belay/protocol";
import type { Bus } from "../store/bus/index.ts";
import type { Use, UsedKind, UseStore } from "../store/uses/index.ts";

export type { UsedKind } from "../store/uses/index.ts";

export interface UseBookOptions {
  readonly now: () => EpochMs;
  /** Absent: kept in memory. */
  readonly store?: UseStore;
  /** Where other servers say what was used at them; absent: this one is alone. */
  readonly bus?: Pick<Bus, "publish" | "subscribe">;
  /** Told when the store failed; the next write holds what it missed. */
  readonly onFault?: (error: unknown) => void;
}

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** How exact a last use is, and how often one name is written at most. */
const PRECISION_MS: Readonly<Record<UsedKind, number>> = {
  "sdk-key": MINUTE_MS,
  token: MINUTE_MS,
  flag: DAY_MS,
  "absent-flag": DAY_MS,
  "experiment-exposures": MINUTE_MS,
  "experiment-metrics": MINUTE_MS,
  start: DAY_MS,
};

/** Names of flags that are not there are what clients say: no more of them are kept. */
const ABSENT_MAX = 1_000;

/**
 * When each key, token and flag was last used. A use costs one look-up; once a minute what was used since is written and
 * told to the other servers, each name once.
 */
export class UseBook {
  readonly #options: UseBookOptions;
  readonly #last = new Map<string, Use>();
  /** With those that were used here and not at another server. */
  readonly #unwritten = new Map<string, Use & { readonly isOwn: boolean }>();
  readonly #timer: NodeJS.Timeout | undefined;
  #absent = 0;
  /** When the book was begun: what was not used since then may have been used before. */
  readonly since: EpochMs;

  constructor(options: UseBookOptions, known: readonly Use[] = []) {
    this.#options = options;
    for (const use of known) this.#keep(use);
    if (this.lastAt("start", "") === undefined) this.note("start", "");
    this.since = this.lastAt("start", "") ?? options.now();
    options.bus?.subscribe("used", (message) => this.#hear(message));
    if (options.store !== undefined) this.#timer = setInterval(() => this.write(), MINUTE_MS).unref();
  }

  static async open(options: UseBookOptions & { readonly store: UseStore }): Promise<UseBook> {
    return new UseBook(options, options.store.all());
  }

  note(kind: UsedKind, id: string): void {
    const name = nameOf({ kind, id });
    const precisionMs = PRECISION_MS[kind];
    const now = this.#options.now();
    // A day is meant as a whole: its start stands for it.
    const at = precisionMs === DAY_MS && kind !== "start" ? now - (now % DAY_MS) : now;
    const last = this.#last.get(name);
    if (last !== undefined && at - last.at < precisionMs && at >= last.at) return;
    if (last === undefined && kind === "absent-flag" && this.#absent >= ABSENT_MAX) return;
    const use = { kind, id, at };
    this.#keep(use);
    this.#unwritten.set(name, { ...use, isOwn: true });
  }

  lastAt(kind: UsedKind, id: string): EpochMs | undefined {
    return this.#last.get(nameOf({ kind, id }))?.at;
  }

  /** What a view says of it; nothing where it was never seen used. */
  shown(kind: UsedKind, id: string): { readonly lastUsedAt?: string } {
    const at = this.lastAt(kind, id);
    return at === undefined ? {} : { lastUsedAt: new Date(at).toISOString() };
  }

  /** Writes what was noted since the last time. */
  write(): void {
    const uses = [...this.#unwritten.values()];
    if (uses.length === 0 || this.#options.store === undefined) return;
    try {
      this.#options.store.put(uses);
      this.#unwritten.clear();
      const own = uses.filter(({ kind, isOwn }) => isOwn && kind !== "start");
      if (own.length > 0)
        this.#options.bus?.publish(
          "used",
          own.map(({ kind, id, at }) => [kind, id, at]),
        );
    } catch (error) {
      this.#options.onFault?.(error);
    }
  }

  /** What another server says; a message may be anything. */
  #hear(message: Json): void {
    for (const said of Array.isArray(message) ? message : []) {
      const [kind, id, at] = Array.isArray(said) ? said : [];
      if (!isUsedKind(kind) || typeof id !== "string" || typeof at !== "number") continue;
      const last = this.lastAt(kind, id);
      const isTooMuch = last === undefined && kind === "absent-flag" && this.#absent >= ABSENT_MAX;
      if (isTooMuch || (last !== undefined && last >= at)) continue;
      this.#keep({ kind, id, at });
      this.#unwritten.set(nameOf({ kind, id }), { kind, id, at, isOwn: false });
    }
  }

  #keep(use: Use): void {
    const name = nameOf(use);
    if (use.kind === "absent-flag" && !this.#last.has(name)) this.#absent += 1;
    this.#last.set(name, use);
  }

  close(): void {
    clearInterval(this.#timer);
    this.write();
    this.#options.store?.close();
  }
}

function isUsedKind(kind: Json | undefined): kind is UsedKind {
  return typeof kind === "string" && kind !== "start" && Object.hasOwn(PRECISION_MS, kind);
}

const nameOf = ({ kind, id }: Pick<Use, "kind" | "id">): string => `${kind} ${id}`;
