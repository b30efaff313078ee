/*
 * A world in one process and out of real time: a clock that is moved by hand, timers, and a server with the four SDK
 * doors whose network and whose mind can be spoiled. Nothing here waits for real.
 */
import type { EventBatch, Exposure, MetricEvent, Snapshot, SnapshotChange, SnapshotFlag } from "@belay/protocol";
import { seeded } from "@belay/testkit";
import type { Clock, Hear, Platform, PostResult, Stop, Timers } from "./ports.ts";
import type { Failure } from "./sync.ts";

/** Virtual time: `advance` runs what is due, in order. */
export class FakeTime implements Clock, Timers {
  #nowMs = 1_000_000;
  #nextId = 0;
  readonly #due = new Map<number, { atMs: number; callback: () => void }>();
  /** Added to the wall clock only. */
  wallOffsetMs = 1_700_000_000_000;

  now(): number {
    return this.#nowMs + this.wallOffsetMs;
  }

  monotonic(): number {
    return this.#nowMs;
  }

  get pending(): number {
    return this.#due.size;
  }

  set(callback: () => void, afterMs: number): Stop {
    const id = this.#nextId++;
    this.#due.set(id, { atMs: this.#nowMs + Math.max(afterMs, 0), callback });
    return () => void this.#due.delete(id);
  }

  /** Lets time pass; promises that settle on the way run their reactions before the next timer. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    for (let next = this.#next(endMs); next !== undefined; next = this.#next(endMs)) {
      const [id, { atMs, callback }] = next;
      this.#due.delete(id);
      this.#nowMs = Math.max(this.#nowMs, atMs);
      callback();
      await Promise.resolve();
      await Promise.resolve();
    }
    this.#nowMs = endMs;
    for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
  }

  #next(endMs: number): [number, { atMs: number; callback: () => void }] | undefined {
    let first: [number, { atMs: number; callback: () => void }] | undefined;
    for (const entry of this.#due)
      if (entry[1].atMs <= endMs && (first === undefined || entry[1].atMs < first[1].atMs)) first = entry;
    return first;
  }
}

/** What is wrong with a door; `undefined`: nothing. */
export type Trouble =
  | { readonly kind: "failure"; readonly failure: Failure }
  /** Accepted, answered, and ended at once. */
  | { readonly kind: "ends" }
  /** Never an answer. */
  | { readonly kind: "hangs" }
  /** The status of a post. */
  | { readonly kind: "status"; readonly status: number; readonly retryAfterMs?: number }
  /** A post is done, and its answer lost. */
  | { readonly kind: "answerLost" };

interface OpenStream {
  hear: Hear;
  isSilent: boolean;
}

export class FakeServer {
  readonly #time: FakeTime;
  readonly #streams = new Set<OpenStream>();
  snapshot: Snapshot;
  /** Every content there was, by revision. */
  readonly history = new Map<number, Snapshot>();
  latencyMs: () => number = () => 5;
  hintMs: number | undefined;
  /** Streams begin without the snapshot they were asked for. */
  isSilentAtFirst = false;
  /** Something on the way may send heartbeats of its own, which name nothing. */
  isNamingRevisions = true;
  streamTrouble: Trouble | undefined;
  pollTrouble: Trouble | undefined;
  postTrouble: Trouble | undefined;
  /** Starts of requests for rules, by virtual time. */
  readonly starts: { readonly door: "stream" | "poll"; readonly atMs: number; readonly after: number | undefined }[] = [];
  readonly batches: EventBatch[] = [];
  readonly stored = new Map<string, Exposure | MetricEvent>();
  duplicates = 0;
  receipts: number[] = [];

  constructor(time: FakeTime, snapshot: Snapshot, heartbeatMs = 15_000) {
    this.#time = time;
    this.snapshot = snapshot;
    this.history.set(snapshot.revision, snapshot);
    const beat = (): void => {
      for (const { hear, isSilent } of [...this.#streams]) {
        if (isSilent) continue;
        hear({ on: "heard" });
        if (this.isNamingRevisions) hear({ on: "heartbeat", revision: this.snapshot.revision });
      }
      time.set(beat, heartbeatMs);
    };
    time.set(beat, heartbeatMs);
  }

  get openStreams(): number {
    return this.#streams.size;
  }

  /** Makes a new revision and tells the streams; `isTold: false` loses the change on the way. */
  commit(flags: Snapshot["flags"], { isTold = true }: { isTold?: boolean } = {}): SnapshotChange {
    const before = this.snapshot;
    const removed = Object.fromEntries(Object.keys(before.flags).map((key) => [key, null]));
    const change: SnapshotChange = {
      ...before,
      from: before.revision,
      revision: before.revision + 1,
      flags: { ...removed, ...flags },
    };
    this.snapshot = { ...before, revision: change.revision, flags };
    this.history.set(change.revision, this.snapshot);
    if (isTold) this.tell(change);
    return change;
  }

  /** Sends a change to every stream, also one that is old or out of order. */
  tell(change: SnapshotChange): void {
    for (const { hear, isSilent } of [...this.#streams]) if (!isSilent) hear({ on: "change", change });
  }

  endStreams(failure: Failure = { kind: "ended", detail: "ended" }): void {
    for (const stream of [...this.#streams]) {
      this.#streams.delete(stream);
      stream.hear({ on: "failed", failure });
    }
  }

  /** The peer vanished: the streams stay open and say nothing more. */
  silenceStreams(): void {
    for (const stream of this.#streams) stream.isSilent = true;
  }

  platform(random: () => number = seeded(1).fraction): Platform {
    const time = this.#time;
    return {
      clock: time,
      timers: time,
      random,
      transport: {
        stream: (after, hear) => this.#stream(after, hear),
        poll: (holding, hear) => this.#poll(holding, hear),
        post: (door, body, done) => this.#post(door, body, done),
      },
    };
  }

  #stream(after: number | undefined, hear: Hear): Stop {
    this.starts.push({ door: "stream", atMs: this.#time.monotonic(), after });
    const stream: OpenStream = { hear, isSilent: false };
    const stop = this.#time.set(() => this.#openStream(after, stream), this.latencyMs());
    return () => {
      stop();
      this.#streams.delete(stream);
    };
  }

  #openStream(after: number | undefined, stream: OpenStream): void {
    const { hear } = stream;
    const trouble = this.streamTrouble;
    if (trouble?.kind === "hangs") return;
    if (trouble?.kind === "failure") return void hear({ on: "failed", failure: trouble.failure });
    this.#streams.add(stream);
    hear({ on: "opened" });
    hear({ on: "heard" });
    if (this.hintMs !== undefined) hear({ on: "hinted", retryMs: this.hintMs });
    if (after !== this.snapshot.revision && !this.isSilentAtFirst) hear({ on: "snapshot", snapshot: this.snapshot });
    if (trouble?.kind !== "ends" || !this.#streams.delete(stream)) return;
    hear({ on: "failed", failure: { kind: "ended", detail: "ended" } });
  }

  #poll(holding: number | undefined, hear: Hear): Stop {
    this.starts.push({ door: "poll", atMs: this.#time.monotonic(), after: holding });
    return this.#time.set(() => {
      const trouble = this.pollTrouble;
      if (trouble?.kind === "hangs") return;
      if (trouble?.kind === "failure") hear({ on: "failed", failure: trouble.failure });
      else if (trouble?.kind === "ends") hear({ on: "failed", failure: { kind: "network", detail: "ended" } });
      else if (holding === this.snapshot.revision) hear({ on: "unchanged" });
      else hear({ on: "snapshot", snapshot: this.snapshot });
    }, this.latencyMs());
  }

  #post(door: "events" | "receipt", body: string, done: (result: PostResult) => void): Stop {
    return this.#time.set(() => {
      const trouble = this.postTrouble;
      if (trouble?.kind === "hangs") return;
      if (trouble?.kind === "failure") return done({ kind: "failed", detail: trouble.failure.detail });
      if (trouble?.kind === "status") return done({ ...trouble, kind: "answered", text: "" });
      const text = this.#take(door, body);
      if (trouble?.kind === "answerLost") return done({ kind: "failed", detail: "answer lost" });
      done({ kind: "answered", status: 202, text });
    }, this.latencyMs());
  }

  #take(door: "events" | "receipt", body: string): string {
    const document = JSON.parse(body) as EventBatch & { revision: number };
    if (door === "receipt") this.receipts.push(document.revision);
    else this.batches.push(document);
    let accepted = 0;
    let duplicates = 0;
    for (const event of [...(document.exposures ?? []), ...(document.metrics ?? [])]) {
      const id = `${document.instance}-${event.seq}`;
      if (this.stored.has(id)) duplicates += 1;
      else accepted += 1;
      this.stored.set(id, event);
    }
    this.duplicates += duplicates;
    return JSON.stringify({ accepted, duplicates, rejected: [] });
  }
}

const SPACE = "split";

/** A flag of two arms that records everybody under `experiment` and `epoch`. */
export function experimentFlag(experiment = "exp", epoch = 1): SnapshotFlag {
  const tracks = { experiment, epoch };
  const part = (variant: string, from: number, to: number) => ({
    variant,
    draws: [{ space: SPACE, in: [[from, to]] as [[number, number]] }],
    tracks,
  });
  return {
    type: "string",
    variants: { a: "A", b: "B" },
    enabled: true,
    spaces: { [SPACE]: { salt: "abcdefgh" } },
    rules: [{ id: "r1", serve: { split: [part("a", 0, 500_000), part("b", 500_000, 1_000_000)] } }],
  };
}

/** A flag that serves the same to everybody. */
export function plainFlag(value: boolean): SnapshotFlag {
  return {
    type: "boolean",
    variants: { on: true, off: false },
    enabled: true,
    rules: [],
    fallthrough: { variant: value ? "on" : "off" },
  };
}

export function snapshotOf(revision: number, flags: Snapshot["flags"] = {}): Snapshot {
  return { format: 1, project: "default", environment: "production", revision, spaces: {}, segments: {}, flags };
}
