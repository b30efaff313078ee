/*
 * The connection of an SDK as a pure state machine: a total table of states and events; effects are data.
 *
 *              start                 snapshot, or opened where it resumes
 *    idle ───────────────▶ connecting ─────────────────────────────────────▶ streaming
 *     │                     ▲      │ failed, silent, unusable                 │ ended, silent, gap, unusable
 *     │ start, offline      │      ▼                                          │
 *     ▼                     └── waiting ◀─────────────────────────────────────┘
 *   offline                     │     ▲
 *                      mode poll│     │ snapshot, unchanged, failed
 *                               ▼     │
 *                              polling                       every state ── close ──▶ closed
 *
 * `mode` says what `waiting` leads to. It turns to "poll" after three stream failures in a row, or at once where there is
 * no stream or a mute one; a stream is then tried again every half to five minutes, and one that stays healthy turns it back.
 *
 * SPEC.md beside this file numbers the invariants and names the test that holds each.
 */
import type { Revision, Snapshot, SnapshotChange } from "@belay/protocol";
import { type Backoff, backoffMs, patientMs, type Random } from "./backoff.ts";

export type SyncState = "idle" | "offline" | "connecting" | "streaming" | "polling" | "waiting" | "closed";

/** Why an attempt came to nothing. */
export interface Failure {
  /**
   * `ended`: the server closed in good order; `network`: no answer, or it broke; `refused`: 401 or 403; `absent`: the
   * door is not there; `status`: any other status; `unusable`: an answer that is not what was asked for; `silent`:
   * nothing was heard for two heartbeats; `gap`: a change did not fit what is held, or one is missing.
   */
  readonly kind: "ended" | "network" | "refused" | "absent" | "status" | "unusable" | "silent" | "gap";
  /** One sentence for the log; never a secret. */
  readonly detail: string;
  readonly retryAfterMs?: number | undefined;
}

export type SyncEvent =
  | { readonly on: "start" }
  /** The stream answered 200 with the right type. */
  | { readonly on: "opened" }
  /** Any byte came in on the stream, heartbeats included. */
  | { readonly on: "heard" }
  /** A heartbeat named the revision that everything sent before it adds up to. */
  | { readonly on: "heartbeat"; readonly revision: Revision }
  /** The stream said how long to wait before coming back. */
  | { readonly on: "hinted"; readonly retryMs: number }
  | { readonly on: "snapshot"; readonly snapshot: Snapshot }
  | { readonly on: "change"; readonly change: SnapshotChange }
  /** A poll was answered 304. */
  | { readonly on: "unchanged" }
  | { readonly on: "failed"; readonly failure: Failure }
  | { readonly on: "waitDue" }
  | { readonly on: "silenceDue" }
  | { readonly on: "staleDue" }
  | { readonly on: "close" };

export type SyncTimer = "wait" | "silence" | "stale";

export type SyncEffect =
  /** Open the stream; `after` is sent as Last-Event-ID, absent where the whole snapshot is wanted. */
  | { readonly do: "openStream"; readonly after: Revision | undefined }
  /** Ask for the snapshot; `holding` is sent as If-None-Match. */
  | { readonly do: "poll"; readonly holding: Revision | undefined }
  /** Abandon the request under way, if there is one: nothing it still says may reach the machine. */
  | { readonly do: "stop" }
  | { readonly do: "adopt"; readonly snapshot: Snapshot }
  | { readonly do: "apply"; readonly change: SnapshotChange }
  /** One timer of each name: arming it again replaces it. */
  | { readonly do: "arm"; readonly timer: SyncTimer; readonly afterMs: number }
  | { readonly do: "disarm"; readonly timer: SyncTimer }
  | { readonly do: "tell"; readonly failure: Failure; readonly waitMs: number }
  | { readonly do: "tellOlder"; readonly offered: Revision };

/** Everything the machine remembers. Immutable: a step makes a new one. */
export interface Sync {
  readonly state: SyncState;
  readonly mode: "stream" | "poll";
  readonly isOffline: boolean;
  /** What is held: 0 before anything is. */
  readonly revision: Revision;
  /** What is held came with the application, not from the server: the first answer replaces it, whatever its number. */
  readonly isProvisional: boolean;
  /** What is held may have a hole: ask for all of it. */
  readonly needsFull: boolean;
  /** The server has not confirmed what is held for two heartbeats, or never yet. */
  readonly isStale: boolean;
  readonly confirmedMs: number;
  /** How long that confirmation holds. */
  readonly freshForMs: number;
  /** When the stream under way was last heard, its start included. */
  readonly heardMs: number;
  readonly streamingSinceMs: number;
  /** Failures in a row; a stream that stayed healthy, or a poll that was answered, ends the row. */
  readonly failures: number;
  /** The last poll failed too: not only streams have trouble, there is an outage. */
  readonly isOutage: boolean;
  /** Failed stream attempts since the fall to polling. */
  readonly streamMisses: number;
  readonly streamAgainMs: number;
  readonly hintMs: number;
  /** When the last attempts failed, oldest first; at most `timings.budget.attempts`. */
  readonly failedMs: readonly number[];
}

/** Every duration of the machine; `SYNC_TIMINGS` holds the product's. */
export interface SyncTimings {
  /** What the server promises between two signs of life. */
  readonly heartbeatMs: number;
  readonly pollIntervalMs: number;
  /** A stream that lived this long ends the row of failures. */
  readonly healthyMs: number;
  readonly brisk: Backoff;
  /** After 401, 403 and 404: nothing to be gained by asking often, yet it heals without a restart. */
  readonly slow: Backoff;
  /** When polling: until the stream is tried again. */
  readonly streamAgain: Backoff;
  /** The longest the machine obeys a wish of the server, `retry:` of a stream. */
  readonly hintMaxMs: number;
  /** No more attempts that fail than this within the window, whatever else the delays say. */
  readonly budget: { readonly attempts: number; readonly windowMs: number };
}

export const SYNC_TIMINGS: SyncTimings = {
  heartbeatMs: 15_000,
  pollIntervalMs: 30_000,
  healthyMs: 30_000,
  brisk: { floorMs: 0, baseMs: 1_000, maxMs: 30_000 },
  slow: { floorMs: 30_000, baseMs: 60_000, maxMs: 300_000 },
  streamAgain: { floorMs: 30_000, baseMs: 60_000, maxMs: 300_000 },
  hintMaxMs: 60_000,
  budget: { attempts: 12, windowMs: 60_000 },
};

/** What a step may know of the world. `nowMs` is monotonic: a clock set back must not stop the machine. */
export interface Moment {
  readonly nowMs: number;
  readonly random: Random;
  readonly timings: SyncTimings;
}

export interface Step {
  readonly sync: Sync;
  readonly effects: readonly SyncEffect[];
}

/** The machine before `start`. `revision` and `isProvisional` describe a snapshot from disk or from the application. */
export function initialSync(held: { isOffline: boolean; revision: Revision; isProvisional: boolean }): Sync {
  return {
    ...held,
    state: "idle",
    mode: "stream",
    needsFull: false,
    isStale: true,
    confirmedMs: 0,
    freshForMs: 0,
    heardMs: 0,
    streamingSinceMs: 0,
    failures: 0,
    isOutage: false,
    streamMisses: 0,
    streamAgainMs: 0,
    hintMs: 0,
    failedMs: [],
  };
}

/** The one way forward: looks the cell up and takes it. Total and pure. */
export function step(sync: Sync, event: SyncEvent, at: Moment): Step {
  const cell = SYNC_TABLE[sync.state][event.on] as (sync: Sync, event: SyncEvent, at: Moment) => Step;
  return cell(sync, event, at);
}

type EventOf<Name extends SyncEvent["on"]> = Extract<SyncEvent, { on: Name }>;
type Cell<Name extends SyncEvent["on"]> = (sync: Sync, event: EventOf<Name>, at: Moment) => Step;

/** States x events: a new state or event does not compile until each of its cells is thought about. */
export type SyncTable = {
  readonly [S in SyncState]: { readonly [Name in SyncEvent["on"]]: Cell<Name> };
};

/** Nothing to do here: the event is late, early or of no meaning in this state. */
const ignore = (sync: Sync): Step => ({ sync, effects: [] });

/** Cells of every state without a request under way: whatever a request says there is late. */
const nothingUnderWay = {
  opened: ignore,
  heard: ignore,
  heartbeat: ignore,
  hinted: ignore,
  snapshot: ignore,
  change: ignore,
  unchanged: ignore,
  failed: ignore,
  silenceDue: ignore,
} as const;

export const SYNC_TABLE: SyncTable = {
  idle: { ...nothingUnderWay, start, waitDue: ignore, staleDue: ignore, close },
  offline: { ...nothingUnderWay, start: ignore, waitDue: ignore, staleDue: ignore, close },
  connecting: {
    start: ignore,
    opened: resume,
    heard,
    heartbeat: compare,
    hinted,
    snapshot: adoptFromStream,
    change: advance,
    unchanged: ignore,
    failed: fail,
    waitDue: ignore,
    silenceDue: checkSilence,
    staleDue: checkStale,
    close,
  },
  streaming: {
    start: ignore,
    opened: ignore,
    heard: heardWhileStreaming,
    heartbeat: compare,
    hinted,
    snapshot: adoptFromStream,
    change: advance,
    unchanged: ignore,
    failed: fail,
    waitDue: ignore,
    silenceDue: checkSilence,
    staleDue: checkStale,
    close,
  },
  polling: {
    start: ignore,
    opened: ignore,
    heard,
    heartbeat: ignore,
    hinted: ignore,
    snapshot: adoptFromPoll,
    change: ignore,
    unchanged: rest,
    failed: fail,
    waitDue: ignore,
    silenceDue: checkSilence,
    staleDue: checkStale,
    close,
  },
  waiting: { ...nothingUnderWay, start: ignore, waitDue: goOn, staleDue: checkStale, close },
  closed: { ...nothingUnderWay, start: ignore, waitDue: ignore, staleDue: ignore, close: ignore },
};

function start(sync: Sync, _event: EventOf<"start">, at: Moment): Step {
  // Offline is a choice, not a loss: what is held is all there is to know.
  if (sync.isOffline) return { sync: { ...sync, state: "offline", isStale: false }, effects: [] };
  return connect(sync, at);
}

function connect(sync: Sync, at: Moment): Step {
  return {
    sync: { ...sync, state: "connecting", heardMs: at.nowMs },
    effects: [{ do: "openStream", after: resumable(sync) }, armSilence(at)],
  };
}

function poll(sync: Sync, at: Moment): Step {
  return {
    sync: { ...sync, state: "polling", heardMs: at.nowMs },
    effects: [{ do: "poll", holding: resumable(sync) }, armSilence(at)],
  };
}

/** The revision the server may build on; `undefined` where only the whole will do. */
function resumable(sync: Sync): Revision | undefined {
  return sync.revision === 0 || sync.isProvisional || sync.needsFull ? undefined : sync.revision;
}

/** The server took our revision as a place to go on from, so what is held is confirmed without a further word. */
function resume(sync: Sync, _event: EventOf<"opened">, at: Moment): Step {
  const heardSync = { ...sync, heardMs: at.nowMs };
  return resumable(sync) === undefined ? { sync: heardSync, effects: [] } : confirm(streaming(heardSync, at), at);
}

function heard(sync: Sync, _event: EventOf<"heard">, at: Moment): Step {
  return { sync: { ...sync, heardMs: at.nowMs }, effects: [] };
}

function heardWhileStreaming(sync: Sync, _event: EventOf<"heard">, at: Moment): Step {
  const heardSync = { ...sync, heardMs: at.nowMs };
  return confirm(wasHealthy(sync, at) ? { ...heardSync, mode: "stream", failures: 0, streamMisses: 0 } : heardSync, at);
}

/**
 * A heartbeat comes after everything up to its revision: a higher one than is held means that something was lost on a
 * stream that lives on. A lower one means nothing, for what is held never falls.
 */
function compare(sync: Sync, event: EventOf<"heartbeat">, at: Moment): Step {
  if (event.revision <= sync.revision && !sync.isProvisional && !sync.needsFull) return { sync, effects: [] };
  const detail = `the server is at revision ${event.revision} while ${sync.revision} is held; fetching the whole snapshot`;
  return fail(sync, { on: "failed", failure: { kind: "gap", detail } }, at);
}

function hinted(sync: Sync, event: EventOf<"hinted">, at: Moment): Step {
  const hintMs = Math.min(Math.max(event.retryMs, 0), at.timings.hintMaxMs);
  return { sync: { ...sync, hintMs }, effects: [] };
}

function adoptFromStream(sync: Sync, event: EventOf<"snapshot">, at: Moment): Step {
  return adopt(streaming(sync, at), event.snapshot, at);
}

function adoptFromPoll(sync: Sync, event: EventOf<"snapshot">, at: Moment): Step {
  const adopted = adopt(sync, event.snapshot, at);
  return follow(adopted, rest(adopted.sync, event, at));
}

function adopt(sync: Sync, snapshot: Snapshot, at: Moment): Step {
  const isNewer = snapshot.revision > sync.revision || sync.isProvisional;
  if (isNewer) {
    const adopted = { ...sync, revision: snapshot.revision, isProvisional: false, needsFull: false };
    return follow({ sync: adopted, effects: [{ do: "adopt", snapshot }] }, confirm(adopted, at));
  }
  const confirmed = confirm({ ...sync, needsFull: false }, at);
  if (snapshot.revision === sync.revision) return confirmed;
  // A node that lags behind, or a server set back to a backup. What is held is newer: keep it, and say so.
  return follow({ sync: confirmed.sync, effects: [{ do: "tellOlder", offered: snapshot.revision }] }, confirmed);
}

function advance(sync: Sync, event: EventOf<"change">, at: Moment): Step {
  const { change } = event;
  if (change.revision <= sync.revision && !sync.isProvisional) return confirm(streaming(sync, at), at);
  if (change.from !== sync.revision || sync.isProvisional || sync.needsFull) return fail(sync, gap(sync, change), at);
  const advanced = { ...streaming(sync, at), revision: change.revision };
  return follow({ sync: advanced, effects: [{ do: "apply", change }] }, confirm(advanced, at));
}

function gap(sync: Sync, change: SnapshotChange): EventOf<"failed"> {
  const detail = `a change from revision ${change.from} came while ${sync.revision} is held; fetching the whole snapshot`;
  return { on: "failed", failure: { kind: "gap", detail } };
}

function streaming(sync: Sync, at: Moment): Sync {
  return sync.state === "streaming" ? sync : { ...sync, state: "streaming", streamingSinceMs: at.nowMs, heardMs: at.nowMs };
}

/**
 * What is held is what the server has. A stream confirms by its heartbeats; a poll is only as fresh as its interval, and
 * a stream tried in between may take two heartbeats to fail. The stale timer looks again by itself, so it is armed only
 * when it is not running.
 */
function confirm(sync: Sync, at: Moment): Step {
  const { heartbeatMs, pollIntervalMs } = at.timings;
  const freshForMs = 2 * heartbeatMs + (sync.state === "polling" ? 2 * pollIntervalMs : 0);
  return {
    sync: { ...sync, confirmedMs: at.nowMs, freshForMs, isStale: false },
    effects: sync.isStale ? [{ do: "arm", timer: "stale", afterMs: 2 * heartbeatMs }] : [],
  };
}

function checkStale(sync: Sync, _event: EventOf<"staleDue">, at: Moment): Step {
  const leftMs = sync.confirmedMs + sync.freshForMs - at.nowMs;
  if (leftMs > 0) return { sync, effects: [{ do: "arm", timer: "stale", afterMs: leftMs }] };
  return { sync: { ...sync, isStale: true }, effects: [] };
}

/** Armed once an attempt and not at each heartbeat: it looks how long ago the last one was, and sleeps for the rest. */
function checkSilence(sync: Sync, _event: EventOf<"silenceDue">, at: Moment): Step {
  const limitMs = 2 * at.timings.heartbeatMs;
  const leftMs = sync.heardMs + limitMs - at.nowMs;
  if (leftMs > 0) return { sync, effects: [{ do: "arm", timer: "silence", afterMs: leftMs }] };
  return fail(sync, { on: "failed", failure: { kind: "silent", detail: `nothing was heard for ${limitMs} ms` } }, at);
}

function armSilence(at: Moment): SyncEffect {
  return { do: "arm", timer: "silence", afterMs: 2 * at.timings.heartbeatMs };
}

/**
 * A poll was answered: rest until the next one. The first answer after an outage says that the way is free again, so the
 * stream is tried next and soon; where only streams fail it keeps its own slow rhythm.
 */
function rest(sync: Sync, _event: EventOf<"unchanged" | "snapshot">, at: Moment): Step {
  const { brisk, pollIntervalMs } = at.timings;
  const confirmed = confirm(sync, at);
  const streamAgainMs = sync.isOutage ? at.nowMs : sync.streamAgainMs;
  const waitMs = sync.isOutage ? backoffMs(brisk, 1, at.random) : pollIntervalMs * (0.9 + 0.2 * at.random());
  return follow(confirmed, {
    sync: { ...confirmed.sync, state: "waiting", failures: 0, isOutage: false, streamAgainMs },
    effects: [
      { do: "disarm", timer: "silence" },
      { do: "arm", timer: "wait", afterMs: waitMs },
    ],
  });
}

function goOn(sync: Sync, _event: EventOf<"waitDue">, at: Moment): Step {
  return sync.mode === "poll" && at.nowMs < sync.streamAgainMs ? poll(sync, at) : connect(sync, at);
}

function fail(sync: Sync, event: EventOf<"failed">, at: Moment): Step {
  const { failure } = event;
  const counted = count(sync, failure, at);
  const waitMs = Math.max(delayMs(sync, counted, failure, at), budgetMs(counted, at));
  return {
    sync: { ...counted, state: "waiting" },
    effects: [
      { do: "stop" },
      { do: "disarm", timer: "silence" },
      { do: "arm", timer: "wait", afterMs: waitMs },
      { do: "tell", failure, waitMs },
    ],
  };
}

/** Three streams in a row that came to nothing: see whether plain requests get through. */
const STREAM_TRIES = 3;

function count(sync: Sync, failure: Failure, at: Moment): Sync {
  const isHealthy = wasHealthy(sync, at);
  const failures = isHealthy ? 1 : sync.failures + 1;
  const hasFallen = sync.mode === "poll" && !isHealthy;
  // A stream that opens and stays mute is what a proxy makes of it that collects the whole answer first.
  const isMute = failure.kind === "silent" && sync.state === "connecting";
  const falls = hasFallen || isMute || failure.kind === "absent" || failures >= STREAM_TRIES;
  const missed = sync.state !== "polling" && falls;
  const streamMisses = missed ? sync.streamMisses + 1 : isHealthy ? 0 : sync.streamMisses;
  return {
    ...sync,
    failures,
    isOutage: sync.state === "polling" || (sync.isOutage && !isHealthy),
    mode: falls ? "poll" : "stream",
    needsFull: sync.needsFull || failure.kind === "gap" || failure.kind === "unusable",
    streamMisses,
    streamAgainMs: missed ? at.nowMs + backoffMs(at.timings.streamAgain, streamMisses, at.random) : sync.streamAgainMs,
    failedMs: [...sync.failedMs.slice(1 - at.timings.budget.attempts), at.nowMs],
  };
}

function wasHealthy(sync: Sync, at: Moment): boolean {
  return sync.state === "streaming" && at.nowMs - sync.streamingSinceMs >= at.timings.healthyMs;
}

function delayMs(before: Sync, counted: Sync, failure: Failure, at: Moment): number {
  const { brisk, slow } = at.timings;
  if (failure.retryAfterMs !== undefined) return patientMs(failure.retryAfterMs, slow.maxMs, at.random);
  if (failure.kind === "refused") return backoffMs(slow, counted.failures, at.random);
  if (failure.kind === "absent" && before.state === "polling") return backoffMs(slow, counted.failures, at.random);
  // A healthy stream that ends is a server going down with all its clients: each was told its own wait, and adds as
  // much again at random. A gap is nobody's outage: the first one is repaired at once.
  if (failure.kind !== "silent" && wasHealthy(before, at)) {
    return failure.kind === "gap" ? 0 : counted.hintMs + at.random() * Math.max(brisk.baseMs, counted.hintMs);
  }
  return backoffMs(brisk, counted.failures, at.random);
}

/** Jitter alone could, with bad luck, come back too often: the oldest of the last failures must have left the window. */
function budgetMs(counted: Sync, at: Moment): number {
  const { attempts, windowMs } = at.timings.budget;
  const oldestMs = counted.failedMs[0];
  return oldestMs === undefined || counted.failedMs.length < attempts ? 0 : oldestMs + windowMs - at.nowMs;
}

function close(sync: Sync): Step {
  return {
    sync: { ...sync, state: "closed" },
    effects: [
      { do: "stop" },
      { do: "disarm", timer: "wait" },
      { do: "disarm", timer: "silence" },
      { do: "disarm", timer: "stale" },
    ],
  };
}

function follow(first: Step, second: Step): Step {
  return { sync: second.sync, effects: [...first.effects, ...second.effects] };
}
