/* Lines of the ledger that several servers have of the same instances, as one server would have them. Pure. */
import type { EpochMs } from "@belay/protocol";
import type { LedgerLine } from "../store/events/index.ts";

/**
 * One line for each instance and arm. An instance tells whichever server it speaks to how much it made so far, so the largest
 * number is the newest; each server stored what came to it.
 */
export function mergedLines(lines: readonly LedgerLine[]): LedgerLine[] {
  const merged = new Map<string, LedgerLine>();
  for (const line of lines) {
    const name = lineName(line);
    const known = merged.get(name);
    merged.set(name, known === undefined ? line : merge(known, line));
  }
  return [...merged.values()];
}

export interface LineBound {
  /** Names what the lines beyond the bound become. */
  readonly server: string;
  readonly now: EpochMs;
  /** So many lines stay as they are, those heard last. */
  readonly max: number;
}

/**
 * At most `max` lines and a few. What is beyond is added up by arm and by how long ago it was heard, to ten minutes within the last
 * hour: such a sum is right unless its instances went on at another server.
 */
export function boundedLines(lines: readonly LedgerLine[], { server, now, max }: LineBound): LedgerLine[] {
  if (lines.length <= max) return [...lines];
  const newest = [...lines].sort((a, b) => (b.seenAtMs ?? 0) - (a.seenAtMs ?? 0));
  const sums = new Map<string, LedgerLine>();
  for (const line of newest.slice(max)) {
    const age = line.seenAtMs === undefined ? OLD_TENS : Math.min(OLD_TENS, Math.floor((now - line.seenAtMs) / TEN_MINUTES_MS));
    const named = { ...clamped(line), instance: `${sumsOf(server)}${age === OLD_TENS ? "old" : `${10 * age} min`})` };
    const name = lineName(named);
    const sum = sums.get(name);
    sums.set(name, sum === undefined ? named : add(sum, named));
  }
  return [...newest.slice(0, max), ...sums.values()];
}

/**
 * What a server's lines say once another one has its events, restored from its backup: what was made. What arrived is counted
 * there; what arrived after the backup is nowhere any more, and so it is lost.
 */
export function linesLeft(lines: readonly LedgerLine[], server: string): LedgerLine[] {
  // What sums were made of the other one has line by line, and does not go by their names.
  const single = lines.filter(({ instance }) => !instance.startsWith(sumsOf(server)));
  return single.map(({ late: _, ...line }) => ({
    ...line,
    produced: Math.max(line.produced, line.stored),
    stored: 0,
    duplicates: 0,
  }));
}

/** How the names of sums begin. */
const sumsOf = (server: string): string => `(others at ${server}, `;

const TEN_MINUTES_MS = 600_000;
const OLD_TENS = 6;

function merge(a: LedgerLine, b: LedgerLine): LedgerLine {
  return {
    ...tallied(a, b),
    produced: Math.max(a.produced, b.produced),
    dropped: Math.max(a.dropped, b.dropped),
  };
}

function add(a: LedgerLine, b: LedgerLine): LedgerLine {
  return { ...tallied(a, b), produced: a.produced + b.produced, dropped: a.dropped + b.dropped };
}

/** What is counted where it comes in adds up in either case. */
function tallied(a: LedgerLine, b: LedgerLine): LedgerLine {
  const late = a.late === undefined && b.late === undefined ? {} : { late: (a.late ?? 0) + (b.late ?? 0) };
  const seenAtMs = Math.max(a.seenAtMs ?? 0, b.seenAtMs ?? 0);
  return {
    ...a,
    stored: a.stored + b.stored,
    duplicates: a.duplicates + b.duplicates,
    ...late,
    ...(seenAtMs === 0 ? {} : { seenAtMs }),
  };
}

/** As an account of it would be: what one instance has too many of must not fill another one's gap. */
function clamped(line: LedgerLine): LedgerLine {
  const produced = Math.max(line.produced, line.stored);
  return { ...line, produced, dropped: Math.min(line.dropped, produced - line.stored) };
}

function lineName({ environment, instance, experiment, release, variant }: LedgerLine): string {
  return JSON.stringify([environment, instance, experiment ?? null, release ?? null, variant]);
}
