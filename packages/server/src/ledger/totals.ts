/* The ledger for a metrics scraper: few series, whatever instances and experiments come and go. */
import type { LedgerLine } from "../store/events/index.ts";
import { accountOf } from "./domain.ts";

/** What became of the exposures of one experiment or release, all its arms and instances added up. */
export interface LedgerTotal {
  readonly environment: string;
  readonly kind: "experiment" | "release";
  /** Its key, or `(other)`, which is none, for those beyond the bound. */
  readonly key: string;
  readonly counts: Readonly<Record<LedgerCount, number>>;
}

/** All of them are gauges: what was lost may come after all, and forgetting old events takes whole lines out. */
export type LedgerCount = (typeof LEDGER_COUNTS)[number];
export const LEDGER_COUNTS = ["produced", "stored", "dropped", "lost", "inFlight", "duplicates", "late"] as const;

export interface TotalsOptions {
  readonly nowMs: number;
  /** An instance not heard for so long has lost what is missing. */
  readonly silentAfterMs: number;
  /** Experiments and releases of an environment that are told apart, those that produced the most; default 100. */
  readonly keysMax?: number;
}

/** Totals by environment and then by what was produced, most first; at most `keysMax` and two others an environment. */
export function ledgerTotals(
  lines: readonly LedgerLine[],
  { nowMs, silentAfterMs, keysMax = 100 }: TotalsOptions,
): LedgerTotal[] {
  const subjects = new Sums();
  for (const line of lines) {
    const { environment, experiment, release = "" } = line;
    const kind = experiment === undefined ? "release" : "experiment";
    subjects.add({ environment, kind, key: experiment ?? release, counts: accountOf(line, nowMs, silentAfterMs) });
  }
  const shown = new Map<string, number>();
  const totals = new Sums();
  for (const total of subjects.largestFirst()) {
    const place = shown.get(total.environment) ?? 0;
    shown.set(total.environment, place + 1);
    totals.add(place < keysMax ? total : { ...total, key: OTHER });
  }
  return totals.all();
}

const OTHER = "(other)";

class Sums {
  readonly #totals = new Map<string, LedgerTotal & { readonly counts: Record<LedgerCount, number> }>();

  add({ environment, kind, key, counts }: LedgerTotal): void {
    const id = JSON.stringify([environment, kind, key]);
    const none = { produced: 0, stored: 0, dropped: 0, lost: 0, inFlight: 0, duplicates: 0, late: 0 };
    const total = this.#totals.get(id) ?? { environment, kind, key, counts: none };
    for (const name of LEDGER_COUNTS) total.counts[name] += counts[name];
    this.#totals.set(id, total);
  }

  all(): LedgerTotal[] {
    return [...this.#totals.values()];
  }

  /** Ties go by key, so that a scrape and the next tell the same ones apart. */
  largestFirst(): LedgerTotal[] {
    return this.all().sort(
      (a, b) =>
        compare(a.environment, b.environment) ||
        b.counts.produced - a.counts.produced ||
        compare(`${a.kind}/${a.key}`, `${b.kind}/${b.key}`),
    );
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
