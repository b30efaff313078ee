import { IntervalSet } from "./interval-set.ts";
import { crc32 } from "./spool/crc32.ts";

/** What is remembered of one instance: an entry of the journal. */
export interface Remembered {
  /** Made by `instanceKey`. */
  readonly instance: string;
  readonly seenAtMs: number;
  /** First and last of each run of received sequence numbers. */
  readonly seqs: readonly number[];
  /** Marks of its last batches that carried counts. */
  readonly batches: readonly number[];
}

/** Names an instance within its environment; none of the three parts holds a slash. */
export function instanceKey(of: { readonly project: string; readonly environment: string; readonly instance: string }): string {
  return `${of.project}/${of.environment}/${of.instance}`;
}

/** A batch id cut to 32 bits: what it tells apart are the last few batches of one instance. */
export function batchMark(batchId: string): number {
  return crc32(Buffer.from(batchId));
}

/**
 * The memory that makes an event sent again count once. It says at once what is new, before anything is on the disk; a
 * claim is what one batch took, so that it can be given back when the batch could not be stored.
 */
export class Received {
  /** Least recently seen first: a Map keeps the order in which keys came. */
  readonly #instances = new Map<string, Memory>();
  readonly #pending = new Map<string, Set<Claim>>();
  readonly #instancesMax: number;

  constructor(instancesMax: number = INSTANCES_MAX) {
    this.#instancesMax = instancesMax;
  }

  get size(): number {
    return this.#instances.size;
  }

  /** When an instance was last heard; undefined once it is forgotten. */
  seenAtMs(instance: string): number | undefined {
    return this.#instances.get(instance)?.seenAtMs;
  }

  /** Begins a batch of one instance. It must end in `keep` or `giveBack`. */
  claim(instance: string, atMs: number): Claim {
    const pending = this.#pending.get(instance) ?? new Set();
    const claim: Claim = new Claim(instance, this.#touch(instance, atMs), atMs, () => {
      pending.delete(claim);
      if (pending.size === 0) this.#pending.delete(instance);
    });
    this.#pending.set(instance, pending.add(claim));
    this.#forgetOver();
    return claim;
  }

  /** Adds what a journal or a frame holds. */
  restore(entry: Remembered): void {
    const memory = this.#touch(entry.instance, entry.seenAtMs);
    merge(memory, entry);
    this.#forgetOver();
  }

  /** Forgets instances last seen before a moment. */
  forget(beforeMs: number): void {
    for (const [instance, memory] of this.#instances) {
      if (memory.seenAtMs >= beforeMs) return;
      this.#instances.delete(instance);
    }
  }

  /** Everything remembered that is on the disk: what pending batches claimed is not among it. */
  *durable(): Generator<Remembered> {
    // The names are copied: whoever reads this takes its time, and instances seen meanwhile move to the end of the Map.
    for (const instance of [...this.#instances.keys()]) {
      const memory = this.#instances.get(instance);
      if (memory === undefined) continue;
      const seqs = new IntervalSet(Number.POSITIVE_INFINITY);
      addRuns(seqs, memory.seqs.bounds());
      const batches = new Set(memory.batches);
      for (const claim of this.#pending.get(instance) ?? []) claim.subtractFrom(seqs, batches);
      yield { instance, seenAtMs: memory.seenAtMs, seqs: seqs.bounds(), batches: [...batches] };
    }
  }

  #touch(instance: string, atMs: number): Memory {
    const memory = this.#instances.get(instance) ?? emptyMemory();
    memory.seenAtMs = Math.max(memory.seenAtMs, atMs);
    this.#instances.delete(instance);
    this.#instances.set(instance, memory);
    return memory;
  }

  #forgetOver(): void {
    if (this.#instances.size <= this.#instancesMax) return;
    for (const [oldest] of this.#instances) {
      this.#instances.delete(oldest);
      return;
    }
  }
}

/** What one batch took of its instance's sequence numbers. */
export class Claim {
  readonly #instance: string;
  readonly #memory: Memory;
  readonly #atMs: number;
  readonly #end: () => void;
  readonly #runs: number[] = [];
  #batch: number | undefined;

  constructor(instance: string, memory: Memory, atMs: number, end: () => void) {
    this.#instance = instance;
    this.#memory = memory;
    this.#atMs = atMs;
    this.#end = end;
  }

  /** Takes a sequence number; false when it was received before. */
  take(seq: number): boolean {
    if (!this.#memory.seqs.add(seq)) return false;
    const last = this.#runs.length - 1;
    if (last > 0 && this.#runs[last] === seq - 1) this.#runs[last] = seq;
    else this.#runs.push(seq, seq);
    return true;
  }

  /** Takes a batch by its id, for what carries no sequence numbers; false when it is one of the instance's last 16. */
  takeBatch(batchId: string): boolean {
    const mark = batchMark(batchId);
    if (this.#memory.batches.includes(mark)) return false;
    this.#memory.batches.push(mark);
    if (this.#memory.batches.length > BATCHES_MAX) this.#memory.batches.shift();
    this.#batch = mark;
    return true;
  }

  /** The batch is on the disk. */
  keep(): Remembered {
    this.#end();
    const batches = this.#batch === undefined ? [] : [this.#batch];
    return { instance: this.#instance, seenAtMs: this.#atMs, seqs: this.#runs, batches };
  }

  /** The batch is not on the disk: it may come again. */
  giveBack(): void {
    this.#end();
    for (let at = 0; at < this.#runs.length; at += 2) {
      this.#memory.seqs.removeRun(this.#runs[at] as number, this.#runs[at + 1] as number);
    }
    const at = this.#batch === undefined ? -1 : this.#memory.batches.indexOf(this.#batch);
    if (at !== -1) this.#memory.batches.splice(at, 1);
  }

  /** Takes this claim out of a copy of its instance's memory. */
  subtractFrom(seqs: IntervalSet, batches: Set<number>): void {
    for (let at = 0; at < this.#runs.length; at += 2) {
      seqs.removeRun(this.#runs[at] as number, this.#runs[at + 1] as number);
    }
    if (this.#batch !== undefined) batches.delete(this.#batch);
  }
}

/** Adds up what the batches of one segment brought, per instance. */
export class ReceivedSum {
  readonly #instances = new Map<string, Memory>();

  add(entry: Remembered): void {
    let memory = this.#instances.get(entry.instance);
    if (memory === undefined) {
      memory = emptyMemory(Number.POSITIVE_INFINITY);
      this.#instances.set(entry.instance, memory);
    }
    memory.seenAtMs = Math.max(memory.seenAtMs, entry.seenAtMs);
    merge(memory, entry);
  }

  entries(): Remembered[] {
    return [...this.#instances].map(([instance, { seenAtMs, seqs, batches }]) => ({
      instance,
      seenAtMs,
      seqs: seqs.bounds(),
      batches,
    }));
  }
}

/**
 * Instances remembered at once: 0.7 kB each as measured, so 105 MB. Over it the one silent the longest is forgotten, however
 * short that is: what it sends again then counts again.
 */
const INSTANCES_MAX = 150_000;
const BATCHES_MAX = 16;

interface Memory {
  readonly seqs: IntervalSet;
  readonly batches: number[];
  seenAtMs: number;
}

/** A sum or a copy is never joined over gaps: only the memory that answers may give events up. */
function emptyMemory(runsMax?: number): Memory {
  return { seqs: new IntervalSet(runsMax), batches: [], seenAtMs: 0 };
}

function merge(memory: Memory, entry: Remembered): void {
  addRuns(memory.seqs, entry.seqs);
  for (const mark of entry.batches) if (!memory.batches.includes(mark)) memory.batches.push(mark);
  memory.batches.splice(0, memory.batches.length - BATCHES_MAX);
}

function addRuns(seqs: IntervalSet, bounds: readonly number[]): void {
  for (let at = 0; at < bounds.length; at += 2) seqs.addRun(bounds[at] as number, bounds[at + 1] as number);
}
