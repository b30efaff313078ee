/*
 * Keeps the rules fresh, as the connection of `@belay/core/client` does, in one loop instead of a table:
 *
 *     ┌─▶ stream, or poll ──▶ what came of it: how long until the next ──▶ wait until due and visible ─┐
 *     └────────────────────────────────────────────────────────────────────────────────────────────────┘
 *
 * It never ends for good on any answer, never lowers its revision, obeys Retry-After up to its own maximum, and falls to
 * polling where streams do not get through.
 */
import type { Revision, Snapshot, SnapshotChange } from "@belay/protocol";
import { backoffMs, patientMs } from "./backoff.ts";
import { readDocument } from "./document.ts";
import type { Ask, Trouble } from "./door.ts";

export interface FollowHost {
  /** What the server may build on; `undefined` where only the whole will do. */
  held(): Revision | undefined;
  /** Brings a document into force, or leaves it where it is no newer; `false` where a change does not fit what is held. */
  take(document: Snapshot | SnapshotChange): boolean;
  /** What is held is what the server has, for so long. */
  confirmed(forMs: number): void;
  warn(message: string): void;
}

/** What the server promises is two signs of life in this time; without any the connection is dead. */
const SILENCE_MS = 30_000;
/** A stream that lived this long ends the row of failures. */
const HEALTHY_MS = 30_000;
/** After a stream that was healthy: a server that restarts must not meet all its pages at one moment. */
const SPREAD_MS = 10_000;
/** From the second failure in a row on: at most twelve attempts a minute, whatever the dice say. */
const SPACING_MS = 6_000;
/** After 401, 403 and 404 nothing is gained by asking often. */
const SLOW_MS = 30_000;
/** A snapshot, or one message of the stream, in characters. */
const TEXT_MAX = 20_000_000;

export interface Following {
  /** Somebody looks again: what is due goes on. */
  wake(): void;
  /** Gives up what is under way, until somebody looks again. */
  rest(): void;
  close(): void;
}

/** Starts following a server with a key; polls are `pollMs` apart. */
export type Follow = (ask: Ask, key: string, pollMs: number, host: FollowHost) => Following;

export const follow: Follow = (ask, key, pollMs, host) => {
  let isClosed = false;
  let failures = 0;
  let isPolling = false;
  let streamAgainAt = 0;
  let needsWhole = false;
  let attempt: AbortController;
  let wake = (): void => {};

  const run = async (): Promise<void> => {
    while (!isClosed) {
      attempt = new AbortController();
      const startedAt = performance.now();
      const isPoll = isPolling && startedAt < streamAgainAt;
      let waitMs: number;
      try {
        if (isPoll) {
          take(await read(false));
          // After a row of failures the way is free again, and so is the stream.
          if (failures > 0) streamAgainAt = 0;
          failures = 0;
          host.confirmed(SILENCE_MS + 2 * pollMs);
          waitMs = pollMs * (0.9 + 0.2 * Math.random());
        } else {
          await read(true);
          throw new Error("the stream ended");
        }
      } catch (trouble) {
        waitMs = failed(trouble as Trouble, isPoll, performance.now() - startedAt >= HEALTHY_MS);
      }
      attempt.abort();
      await wait(waitMs);
    }
  };

  /** Asks a door and reads to the end; messages of a stream are heard as they come. Gives up in silence. */
  const read = async (isStream: boolean): Promise<string> => {
    const own = attempt;
    const type = isStream ? "event-stream" : "json";
    const after = needsWhole ? undefined : host.held();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let text = "";
    const alive = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => own.abort(new Error("the stream is silent")), SILENCE_MS);
    };
    try {
      alive();
      const resume = isStream && after !== undefined ? { "last-event-id": `${after}` } : undefined;
      const response = await ask(isStream ? "stream" : "snapshot", {
        headers: { authorization: `Bearer ${key}`, ...resume },
        signal: own.signal,
      });
      if (!response.headers.get("content-type")?.includes(type)) throw new Error(`no ${type} came`);
      const reader = (response.body as ReadableStream<Uint8Array>).getReader();
      const decoder = new TextDecoder();
      for (;;) {
        // Where it resumes, the server has taken our revision as a place to go on from: that confirms it.
        if (isStream && !needsWhole && host.held() !== undefined) host.confirmed(SILENCE_MS);
        const { value, done } = await reader.read();
        if (done) return text;
        alive();
        const chunk = decoder.decode(value, { stream: true });
        text += chunk;
        if (text.length > TEXT_MAX) throw new Error("no snapshot came");
        // A document is one line, however many chunks it takes.
        if (isStream && chunk.includes("\n")) {
          const messages = text.split(/\r?\n\r?\n/);
          text = messages.pop() as string;
          messages.forEach(hear);
        }
      }
    } finally {
      clearTimeout(timer);
    }
  };

  const hear = (message: string): void => {
    // A heartbeat names the revision that everything sent before it adds up to.
    const [, beat] = /^: ?revision (\d+)$/.exec(message) ?? [];
    if (Number(beat) > (host.held() ?? 0)) throw misfit();
    const [, data] = /^event: ?(?:snapshot|change)$.*^data: ?(.*)/ms.exec(message) ?? [];
    if (data !== undefined) take(data);
  };

  const take = (text: string): void => {
    // Until it is in force, what is held may have a hole.
    needsWhole = true;
    if (!host.take(readDocument(text))) throw misfit();
    needsWhole = false;
  };

  /** How long until the next attempt. */
  const failed = ({ message, status = 0, retryAfterMs }: Trouble, isPoll: boolean, wasHealthy: boolean): number => {
    failures = wasHealthy ? 1 : failures + 1;
    const isAbsent = [404, 405, 501].includes(status);
    const isSlow = [401, 403].includes(status) || (isAbsent && isPoll);
    if (wasHealthy) isPolling = false;
    else if (isPolling || isAbsent || failures > 2) {
      isPolling = true;
      streamAgainAt = performance.now() + 60_000 + Math.random() * 240_000;
    }
    // A page that is left, or nobody looks at, is cut off by its browser: nothing to warn of.
    if (!isClosed && !document.hidden) host.warn(message);
    if (retryAfterMs !== undefined && (retryAfterMs > 0 || failures === 1)) return patientMs(retryAfterMs);
    if (wasHealthy) return Math.random() * SPREAD_MS;
    return backoffMs(failures, isSlow, isSlow ? SLOW_MS : failures > 1 ? SPACING_MS : 0);
  };

  /** Nobody looks at a hidden page: its next attempt waits until somebody does. */
  const wait = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const dueAt = performance.now() + ms;
      wake = () => {
        if (isClosed || (performance.now() >= dueAt && !document.hidden)) resolve();
      };
      setTimeout(wake, ms + 1);
    });

  void run();
  return {
    wake: () => wake(),
    rest: () => attempt.abort(),
    close: () => {
      isClosed = true;
      attempt.abort();
      wake();
    },
  };
};

/** What is missing is fetched at once, the first time. */
function misfit(): Error {
  return Object.assign(new Error("a change is missing"), { retryAfterMs: 0 });
}
