/*
 * Flags whose rules must not reach a browser: the server decides for the context, the page holds the answers.
 *
 *     ┌─▶ ask for all answers ──▶ listen ──▶ a notice, another context, or trouble ──▶ wait until due and visible ─┐
 *     └────────────────────────────────────────────────────────────────────────────────────────────────────────────┘
 *
 * The client is the same: it exposes, counts, keeps and tells of changes as the one that decides by itself.
 */
import type { EvaluationContext, Snapshot } from "@belay/protocol";
import { answersOf, type Bulk, isFor, snapshotOf } from "./answers.ts";
import { backoffMs, patientMs } from "./backoff.ts";
import { type BelayClient, complete } from "./create-client.ts";
import type { Trouble } from "./door.ts";
import type { Follow } from "./follow.ts";
import type { Keeper } from "./keeper.ts";
import { type Inner, NO_RULES } from "./lean-client.ts";
import type { ClientOptions } from "./options.ts";

/** The server promises two signs of life in this time. */
const SILENCE_MS = 30_000;
/** From the second failure in a row on: at most twelve attempts a minute. */
const SPACING_MS = 6_000;
/** Pages that heard of a change ask within this time of each other. */
const SPREAD_MS = 100;

/**
 * As `createClient`, with a key of kind `remote`: no rule leaves the server. After `identify`, and before the first
 * answers came, flags answer defaults with `PROVIDER_NOT_READY`, unless `keeper` has answers for that very context.
 *
 * @example
 * const belay = createRemoteClient({ url: "https://flags.example.com", clientKey: "belay_remote_...", context: { targetingKey: "user-42" } });
 */
export function createRemoteClient(options: ClientOptions = {}): BelayClient {
  const { keeper } = options;
  let context = options.context ?? {};
  let again = (): void => {};
  let keptAs = "";
  const read = (name: string): Snapshot | undefined => {
    keptAs = name;
    const kept = keeper?.read(name);
    return isFor(kept, context) ? kept : undefined;
  };
  const own: Keeper = { read, write: () => {} };
  const started = complete({ ...options, keeper: own }, answersOf, (ask, key, pollMs, host) => {
    const following = followAnswers(ask, key, pollMs, host, () => context, take);
    again = following.again;
    return following;
  });
  const [client, inner]: readonly [BelayClient, Inner] = started;
  function take(snapshot: Snapshot, whose: EvaluationContext): void {
    // Somebody else is looking by now.
    if (whose !== context) return;
    inner.change(snapshot, context);
    keeper?.write(keptAs, snapshot);
  }
  return Object.assign(client, {
    identify: (next: EvaluationContext) => {
      context = next;
      inner.change(read(keptAs) ?? NO_RULES, next);
      again();
    },
  });
}

type Take = (snapshot: Snapshot, whose: EvaluationContext) => void;

function followAnswers(
  ...[ask, key, pollMs, host, contextOf, take]: [...Parameters<Follow>, contextOf: () => EvaluationContext, take: Take]
): ReturnType<Follow> & { again(): void } {
  const headers = { authorization: `Bearer ${key}` };
  let isClosed = false;
  let isAsked = false;
  let failures = 0;
  let held: { readonly whose: EvaluationContext; readonly tag: string; readonly stream: string } | undefined;
  let attempt = new AbortController();
  let wake = (): void => {};

  const run = async (): Promise<void> => {
    // What the client is made of is complete only after this call.
    await undefined;
    while (!isClosed) {
      attempt = new AbortController();
      isAsked = false;
      let waitMs = SPREAD_MS * Math.random();
      try {
        await listen(await asked());
        failures = 0;
      } catch (trouble) {
        waitMs = isAsked ? 0 : failed(trouble as Trouble);
      }
      attempt.abort();
      await wait(waitMs);
    }
  };

  /** All answers for the context of now, where there are newer ones; the address of the stream that tells when. */
  const asked = async (): Promise<string> => {
    const whose = contextOf();
    const known = held?.whose === whose ? held : undefined;
    const { signal } = attempt;
    const body = JSON.stringify({ context: whose });
    const more = { "content-type": "application/json", ...(known && { "if-none-match": known.tag }) };
    try {
      const path = "../../ofrep/v1/evaluate/flags";
      const response = await ask(path, { method: "POST", headers: { ...headers, ...more }, body, signal });
      // What one caller does to a value must not reach the next.
      const bulk = JSON.parse(await response.text(), (_, value) => Object.freeze(value)) as Bulk;
      const stream = bulk.eventStreams[0]?.endpoint.requestUri ?? "";
      held = { whose, tag: response.headers.get("etag") ?? "", stream };
      take(snapshotOf(bulk, whose), whose);
      host.confirmed(SILENCE_MS + 2 * pollMs);
      return stream;
    } catch (trouble) {
      if ((trouble as Trouble).status !== 304 || known === undefined) throw trouble;
      host.confirmed(SILENCE_MS + 2 * pollMs);
      return known.stream;
    }
  };

  /** Resolves when the server says that something changed; rejects when it is gone, or silent. */
  const listen = async (path: string): Promise<void> => {
    const own = attempt;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const alive = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => own.abort(new Error("the stream is silent")), SILENCE_MS);
    };
    try {
      alive();
      // The path is known here, behind whatever prefix; the rest says who listens.
      const response = await ask(`../../ofrep/v1/stream${path.slice(path.indexOf("?"))}`, { signal: own.signal });
      if (!response.headers.get("content-type")?.includes("event-stream")) throw new Error("no event-stream came");
      const reader = (response.body as ReadableStream<Uint8Array>).getReader();
      const decoder = new TextDecoder();
      for (let text = ""; !/^data:.*refetchEvaluation.*\n/m.test(text); ) {
        const { value, done } = await reader.read();
        if (done) throw new Error("the stream ended");
        alive();
        host.confirmed(SILENCE_MS);
        text = (text + decoder.decode(value, { stream: true })).slice(-1_000);
      }
    } finally {
      clearTimeout(timer);
    }
  };

  /** How long until the next attempt. */
  const failed = ({ message, status = 0, retryAfterMs }: Trouble): number => {
    failures++;
    if (!isClosed && !document.hidden) host.warn(message);
    if (retryAfterMs !== undefined) return patientMs(retryAfterMs);
    const isSlow = [401, 403, 404].includes(status);
    return backoffMs(failures, isSlow, isSlow ? SILENCE_MS : failures > 1 ? SPACING_MS : 0);
  };

  const wait = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const dueAt = performance.now() + ms;
      wake = () => {
        if (isClosed || isAsked || (performance.now() >= dueAt && !document.hidden)) resolve();
      };
      setTimeout(wake, ms + 1);
    });

  const stop = (): void => {
    attempt.abort();
    wake();
  };
  void run();
  return {
    wake: () => wake(),
    rest: () => attempt.abort(),
    again: () => {
      isAsked = true;
      stop();
    },
    close: () => {
      isClosed = true;
      stop();
    },
  };
}
