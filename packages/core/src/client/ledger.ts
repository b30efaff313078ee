/*
 * Every event of an instance from the moment it is made until somebody answers for it:
 *
 *     produced ──▶ queued ──▶ in a batch ──▶ stored      the server has it, this time or an earlier one
 *         │          ▲             └───────▶ dropped     refused for good, too large, or left at the deadline
 *         │          └─── met again ──────── │
 *         └── queue full ──────────────────▶ dropped     the newest one goes: those before it are already promised
 *
 * With a spool an event is also kept outside the process: what is left at the end stays queued there, for the next start.
 *
 * An exposure is produced once, at the first meeting of its unit and arm. One that found the queue full is dropped until
 * the unit is met again and there is room: then it is queued, and dropped no longer. So what is lost is counted in units,
 * and not in how often somebody knocked while nobody could answer, and
 *
 *     produced = stored + dropped + queued
 *
 * holds at every moment, exact to one. The totals of an arm go to the server, where reports may arrive late and twice and
 * the largest one counts: there `dropped` only grows, and what was made up for shows in what is stored.
 */
import type {
  ArmLedger,
  BatchReceipt,
  EpochMs,
  EvaluationContext,
  EvaluationCount,
  Exposure,
  FlagKey,
  Json,
  MetricEvent,
  Revision,
} from "@belay/protocol";
import type { Met, Seeds } from "../fingerprint.ts";
import type { Outcome } from "../program.ts";
import type { Tracked } from "../tracked.ts";
import type { EventSpool, NumberedEvent } from "./ports.ts";
import { SEEN_SLOTS_MAX, Seen } from "./seen.ts";
import { SENDABLE } from "./sendable.ts";

export interface LedgerLimits {
  /** Events kept at most, those in a batch under way included. */
  readonly events: number;
  /** Memory of those events at most, by estimate. */
  readonly bytes: number;
  /** Pairs of flag and variant whose evaluations are counted between two reports. */
  readonly counts: number;
  /** Slots of one generation of the dedupe table, a power of two. */
  readonly seenSlots: number;
}

export const LEDGER_LIMITS: LedgerLimits = { events: 10_000, bytes: 16 * 1024 * 1024, counts: 10_000, seenSlots: SEEN_SLOTS_MAX };

/** What the ledger asks of the one who owns it. */
export interface LedgerHost {
  /** Nothing is kept or counted for sending; first exposures are still told. */
  readonly isOffline: boolean;
  now(): EpochMs;
  /** What goes with an exposure of this context; `undefined` for nothing. */
  attributes(
    context: EvaluationContext,
  ): { readonly json: { readonly [name: string]: Json }; readonly length: number } | undefined;
  /** Whether the decision differs: see `Exposure.differs`. */
  differs(flag: FlagKey, outcome: Outcome, context: EvaluationContext): boolean | undefined;
  /** Something is waiting to be sent. */
  queued(): void;
  /** A first exposure, before it has a number. */
  exposed(exposure: Omit<Exposure, "seq" | "timeMs">): void;
  dropped(reason: DropReason, count: number): void;
  readonly spool?: EventSpool | undefined;
}

/** Why events were given up. */
export type DropReason = "queue_full" | "closed" | "unit_too_long" | "too_large" | "refused" | "deadline";

/** How the events of this instance stand. */
export interface DeliveryReport {
  /** Events made. A first exposure is made once, however often its unit was met while the queue was full. */
  readonly produced: number;
  readonly stored: number;
  /** Given up on, and not made up for since. */
  readonly dropped: number;
  /** Not answered for yet. */
  readonly queued: number;
  /** Calls of `track` that made no event, because what they were given cannot be sent. */
  readonly rejected: number;
  /** With a spool: events that reached it so far, so that a `kill -9` loses none of them. */
  readonly spooled?: number;
}

/** Events that travel together. Their numbers were given when they were made, so any cut of them stays countable. */
export interface Batch {
  /** Tells it from every other batch of the instance, also when it is sent again. */
  readonly name: string;
  readonly entries: readonly Entry[];
  readonly counts: readonly EvaluationCount[];
  readonly arms: readonly ArmLedger[];
}

interface Entry {
  readonly exposure: Exposure | undefined;
  readonly metric: MetricEvent | undefined;
  readonly arm: Arm | undefined;
  readonly bytes: number;
  readonly isSpooled: boolean;
}

type ArmName = Pick<ArmLedger, "variant"> & { readonly experiment?: string | undefined; readonly release?: string | undefined };

interface Arm {
  readonly name: ArmName;
  produced: number;
  dropped: number;
  /** The totals the server has acknowledged; equal to ours, there is nothing to tell. */
  toldProduced: number;
  toldDropped: number;
}

/** Memory of an entry without its texts. */
const ENTRY_BYTES = 256;
const BYTES_PER_CHARACTER = 2;

export class Ledger {
  readonly #limits: LedgerLimits;
  readonly #host: LedgerHost;
  readonly #seen: Seen;
  /** Whose exposure was dropped before it had a number; made when there is the first. */
  #missed: Seen | undefined;
  readonly #arms = new Map<string, Arm>();
  readonly #counts = new Map<string, { flag: FlagKey; variant: string | undefined; count: number }>();
  #queue: Entry[] = [];
  #seq = 0;
  #batches = 0;
  #batchPrefix = "";
  #produced = 0;
  #stored = 0;
  #dropped = 0;
  #rejected = 0;
  #isClosed = false;
  /** Of queued entries and those in batches. */
  #held = 0;
  #heldBytes = 0;

  constructor(limits: LedgerLimits, host: LedgerHost) {
    this.#limits = limits;
    this.#host = host;
    this.#seen = new Seen(limits.seenSlots);
    host.spool?.open(() => this.armLedgers());
  }

  /**
   * Hot path: notes that a unit met an arm. Allocates nothing for a unit seen before.
   *
   * A unit whose exposure found the queue full is not marked as seen: it is tried again when it is next evaluated, and
   * counted as produced and dropped the first time only.
   */
  note(flag: FlagKey, outcome: Outcome, tracked: Tracked, context: EvaluationContext, revision: Revision): void {
    const unit = tracked.unit(context);
    if (unit !== undefined && !this.#seen.has(unit, tracked)) this.#expose(flag, outcome, tracked, unit, context, revision);
  }

  /** Who has been met: nothing need be noted of them again under the same arm. */
  get met(): Met {
    return this.#seen;
  }

  /** Notes a metric event made of values that can be sent. */
  record(
    name: string,
    unit: string,
    value: number | undefined,
    properties: { json: { readonly [name: string]: Json }; length: number } | undefined,
  ): void {
    const bytes = ENTRY_BYTES + BYTES_PER_CHARACTER * (name.length + unit.length + (properties?.length ?? 0));
    this.#produced += 1;
    if (!this.#hasRoom(bytes)) return void this.#drop(this.#isClosed ? "closed" : "queue_full", undefined);
    const metric: MetricEvent = {
      seq: this.#nextSeq(),
      timeMs: this.#host.now(),
      name,
      unit,
      ...(value === undefined ? {} : { value }),
      ...(properties === undefined ? {} : { properties: properties.json }),
    };
    const isSpooled = this.#spool({ list: "metrics", event: metric });
    this.#enqueue({ exposure: undefined, metric, arm: undefined, bytes, isSpooled });
  }

  /**
   * Takes up what an earlier run left behind, instead of making events of its own. They keep their numbers.
   *
   * @param batchPrefix tells the batches made here from those of the run itself and of others who took it up
   */
  restore(left: readonly NumberedEvent[], arms: readonly ArmLedger[], batchPrefix: string): void {
    this.#batchPrefix = batchPrefix;
    for (const { produced, dropped, ...name } of arms) Object.assign(this.#armOf(name), { produced, dropped });
    for (const { list, event } of left) {
      const [exposure, metric] = list === "exposures" ? [event, undefined] : [undefined, event];
      const arm = exposure === undefined ? undefined : this.#armOf(exposure);
      this.#produced += 1;
      this.#enqueue({ exposure, metric, arm, bytes: 0, isSpooled: false });
    }
  }

  /** A `track` whose values could not be sent. */
  reject(): void {
    this.#rejected += 1;
  }

  /** Adds evaluations counted elsewhere. Beyond the bound the new pairs are left out, never the known ones. */
  count(counts: readonly EvaluationCount[]): void {
    for (const { flag, variant, count } of counts) {
      const key = `${variant === undefined ? "-" : "+"}${variant ?? ""}/${flag}`;
      const known = this.#counts.get(key);
      if (known !== undefined) known.count += count;
      else if (this.#counts.size < this.#limits.counts) this.#counts.set(key, { flag, variant, count });
    }
  }

  /** Forgets which units were seen: the next evaluation of each is a first one again. For a change of user in a browser. */
  forgetSeen(): void {
    this.#seen.clear();
  }

  get queuedEvents(): number {
    return this.#queue.length;
  }

  get hasCounts(): boolean {
    return this.#counts.size > 0;
  }

  report(): DeliveryReport {
    const spooled = this.#host.spool?.spooled;
    return {
      produced: this.#produced,
      stored: this.#stored,
      dropped: this.#dropped,
      queued: this.#held,
      rejected: this.#rejected,
      ...(spooled === undefined ? {} : { spooled }),
    };
  }

  /** Running totals of every arm met. */
  armLedgers(): ArmLedger[] {
    return [...this.#arms.values()].map(ledgerOf);
  }

  /** The oldest events, at most so many, with the counts and the arms' totals; `undefined` where there is nothing to say. */
  take(eventsMax: number, countsMax: number): Batch | undefined {
    const entries = this.#queue.slice(0, eventsMax);
    const counts = this.#takeCounts(countsMax);
    if (entries.length === 0 && counts.length === 0) return undefined;
    this.#queue = this.#queue.slice(entries.length);
    const arms = [...this.#arms.values()].filter((arm) => arm.produced !== arm.toldProduced || arm.dropped !== arm.toldDropped);
    this.#batches += 1;
    return { name: `${this.#batchPrefix}${this.#batches}`, entries, counts, arms: arms.map(ledgerOf) };
  }

  /** The server answered for every event of the batch: it has them, but for those it names as rejected. */
  settle(batch: Batch, receipt: BatchReceipt): void {
    const refused = new Set<Entry>();
    const exposures = batch.entries.filter((entry) => entry.exposure !== undefined);
    const metrics = batch.entries.filter((entry) => entry.metric !== undefined);
    for (const { list, index } of receipt.rejected) {
      const entry = list === "exposures" ? exposures[index] : list === "metrics" ? metrics[index] : undefined;
      if (entry !== undefined) refused.add(entry);
    }
    this.#stored += batch.entries.length - refused.size;
    this.#release(batch.entries);
    this.#told(batch.arms);
    if (refused.size > 0) this.#giveUp([...refused], "refused");
    this.#answered(batch);
  }

  /** Nobody will ever answer for these events. */
  drop(batch: Batch, reason: DropReason): void {
    this.#release(batch.entries);
    if (batch.entries.length > 0) this.#giveUp(batch.entries, reason);
    this.#answered(batch);
  }

  /**
   * Takes no event from now on. What was not answered for is given up, in the batches that were taken and in the queue;
   * what is spooled stays queued there.
   */
  close(unanswered: readonly Batch[] = []): void {
    this.#isClosed = true;
    const entries = [...unanswered.flatMap((batch) => batch.entries), ...this.#queue].filter((entry) => !entry.isSpooled);
    this.#queue = [];
    this.#release(entries);
    if (entries.length > 0) this.#giveUp(entries, "deadline");
  }

  #expose(flag: FlagKey, outcome: Outcome, tracked: Tracked, unit: string, context: EvaluationContext, revision: Revision): void {
    const differs = this.#host.differs(flag, outcome, context);
    const exposure = exposureOf(flag, outcome, tracked, unit, { revision, ...(differs === undefined ? {} : { differs }) });
    if (this.#host.isOffline || this.#keep(exposure, tracked, context)) {
      this.#seen.add(unit, tracked);
      this.#host.exposed(exposure);
    }
  }

  /** Queues an exposure; `false` where there was no room for it. */
  #keep(unnumbered: Omit<Exposure, "seq" | "timeMs">, tracked: Tracked, context: EvaluationContext): boolean {
    const arm = this.#armOf(tracked);
    const { flag, unit } = unnumbered;
    if (unit.length > SENDABLE.unitLength) return this.#miss("unit_too_long", arm, unit, tracked);
    const attributes = this.#host.attributes(context);
    const bytes = ENTRY_BYTES + BYTES_PER_CHARACTER * (flag.length + unit.length + (attributes?.length ?? 0));
    if (!this.#hasRoom(bytes)) return this.#miss(this.#isClosed ? "closed" : "queue_full", arm, unit, tracked);
    this.#produce(arm, unit, tracked);
    const exposure: Exposure = {
      seq: this.#nextSeq(),
      timeMs: this.#host.now(),
      ...unnumbered,
      ...(attributes === undefined ? {} : { attributes: attributes.json }),
    };
    const isSpooled = this.#spool({ list: "exposures", event: exposure });
    this.#enqueue({ exposure, metric: undefined, arm, bytes, isSpooled });
    return true;
  }

  /** A first exposure that is kept, or one that was dropped and is made up for now. */
  #produce(arm: Arm, unit: string, seeds: Seeds): void {
    if (this.#isMissed(unit, seeds)) {
      this.#missed?.add(unit, madeUp(seeds));
      this.#dropped -= 1;
      return;
    }
    arm.produced += 1;
    this.#produced += 1;
  }

  /** A first exposure that cannot be kept: counted once, however often its unit comes back in vain. */
  #miss(reason: DropReason, arm: Arm, unit: string, seeds: Seeds): false {
    if (this.#isMissed(unit, seeds)) return false;
    this.#missed ??= new Seen(this.#limits.seenSlots);
    this.#missed.add(unit, seeds);
    arm.produced += 1;
    this.#produced += 1;
    return this.#drop(reason, arm);
  }

  #isMissed(unit: string, seeds: Seeds): boolean {
    return this.#missed?.has(unit, seeds) === true && !this.#missed.has(unit, madeUp(seeds));
  }

  #spool(numbered: NumberedEvent): boolean {
    return this.#host.spool?.keep(numbered) ?? false;
  }

  /** Batches are taken and answered for in order, so the numbers answered for have no gap. */
  #answered({ entries }: Batch): void {
    const last = entries.at(-1);
    const event = last?.exposure ?? last?.metric;
    if (event !== undefined) this.#host.spool?.answered(event.seq);
  }

  #armOf({ experiment, release, variant }: ArmName): Arm {
    const key = JSON.stringify([experiment ?? null, release ?? null, variant]);
    let arm = this.#arms.get(key);
    if (arm === undefined) {
      const name = { experiment, release, variant };
      arm = { name, produced: 0, dropped: 0, toldProduced: 0, toldDropped: 0 };
      this.#arms.set(key, arm);
    }
    return arm;
  }

  #hasRoom(bytes: number): boolean {
    return !this.#isClosed && this.#held < this.#limits.events && this.#heldBytes + bytes <= this.#limits.bytes;
  }

  /** Numbers are given only to events that are kept: a gap in them is then always a loss on the way. */
  #nextSeq(): number {
    this.#seq += 1;
    return this.#seq;
  }

  #enqueue(entry: Entry): void {
    this.#queue.push(entry);
    this.#held += 1;
    this.#heldBytes += entry.bytes;
    this.#host.queued();
  }

  #release(entries: readonly Entry[]): void {
    this.#held -= entries.length;
    for (const entry of entries) this.#heldBytes -= entry.bytes;
  }

  #giveUp(entries: readonly Entry[], reason: DropReason): void {
    this.#dropped += entries.length;
    for (const { arm } of entries) if (arm !== undefined) arm.dropped += 1;
    this.#host.spool?.counted();
    this.#host.dropped(reason, entries.length);
  }

  #drop(reason: DropReason, arm: Arm | undefined): false {
    this.#dropped += 1;
    if (arm !== undefined) arm.dropped += 1;
    this.#host.spool?.counted();
    this.#host.dropped(reason, 1);
    return false;
  }

  #told(arms: readonly ArmLedger[]): void {
    for (const { experiment, release, variant, produced, dropped } of arms) {
      const arm = this.#arms.get(JSON.stringify([experiment ?? null, release ?? null, variant]));
      if (arm === undefined) continue;
      arm.toldProduced = produced;
      arm.toldDropped = dropped;
    }
  }

  #takeCounts(countsMax: number): EvaluationCount[] {
    const taken: EvaluationCount[] = [];
    for (const [key, { flag, variant, count }] of this.#counts) {
      if (taken.length === countsMax) break;
      taken.push({ flag, count, ...(variant === undefined ? {} : { variant }) });
      this.#counts.delete(key);
    }
    return taken;
  }
}

/** Nothing can be taken out of a table of fingerprints: under these seeds stands who was missed and is no longer. */
function madeUp({ subjectSeed, armSeed }: Seeds): Seeds {
  return { subjectSeed, armSeed: ~armSeed };
}

/** Two halves of a batch that is too large, in order; `undefined` where it cannot be cut. Counts leave the events first. */
export function halves(batch: Batch): readonly [Batch, Batch] | undefined {
  const { entries, counts } = batch;
  if (entries.length + counts.length < 2) return undefined;
  const isMixed = entries.length > 0 && counts.length > 0;
  const entryCut = isMixed ? entries.length : Math.ceil(entries.length / 2);
  const countCut = isMixed ? 0 : Math.ceil(counts.length / 2);
  return [
    { ...batch, name: `${batch.name}a`, entries: entries.slice(0, entryCut), counts: counts.slice(0, countCut) },
    { name: `${batch.name}b`, entries: entries.slice(entryCut), counts: counts.slice(countCut), arms: [] },
  ];
}

function exposureOf(
  flag: FlagKey,
  outcome: Outcome,
  tracked: Tracked,
  unit: string,
  circumstances: Pick<Exposure, "revision" | "differs">,
): Omit<Exposure, "seq" | "timeMs"> {
  return {
    flag,
    variant: tracked.variant,
    ...(outcome.ruleId === undefined ? {} : { rule: outcome.ruleId }),
    ...(tracked.experiment === undefined ? {} : { experiment: tracked.experiment }),
    ...(tracked.release === undefined ? {} : { release: tracked.release }),
    epoch: tracked.epoch,
    unit,
    ...circumstances,
  };
}

function ledgerOf({ name, produced, dropped }: Arm): ArmLedger {
  return {
    ...(name.experiment === undefined ? {} : { experiment: name.experiment }),
    ...(name.release === undefined ? {} : { release: name.release }),
    variant: name.variant,
    produced,
    dropped,
  };
}
