import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { isSnapshot } from "@belay/core";
import { failureOfStatus, type Hear, readComment, readMessage, type Stop, unusable } from "@belay/core/client";
import type { RelayBrief, RelayedEvents, RelayedReceipts, RelayState, Revision } from "@belay/protocol";
import { RelayBriefSchema } from "@belay/protocol/schemas";
import { createParser } from "eventsource-parser";
import { compileValidator } from "../http/validation.ts";

/** One message of the stream, or a whole state: room for tens of thousands of flags. */
const MESSAGE_CHARS_MAX = 64 * 1024 * 1024;

const POST_TIMEOUT_MS = 30_000;

const gzipped = promisify(gzip);

/** Told of each brief, before the rules that came after it; why it cannot be taken, or nothing. */
export type HearBrief = (brief: RelayBrief) => string | undefined;

/** What a relay sends, by its door. */
export interface Sent {
  readonly events: RelayedEvents;
  readonly receipts: RelayedReceipts;
}

/** The server a relay follows, by the doors of `/relay/v1` for one key. */
export class Upstream {
  readonly #base: string;
  readonly #headers: Readonly<Record<string, string>>;
  /** Of the last state polled: with it what is held need not be sent again. */
  #tag: { readonly revision: Revision; readonly etag: string } | undefined;

  constructor(url: string, key: string, relay: string) {
    this.#base = `${url.replace(/\/+$/, "")}/relay/v1`;
    // A connection for each request: one that was kept may have died in silence meanwhile, and each of those that are taken up
    // again one after another would cost a request its whole timeout.
    this.#headers = { authorization: `Bearer ${key}`, "user-agent": `belay-relay/${relay}`, connection: "close" };
  }

  /** Opens the stream; `after` is the revision to go on from. */
  stream(after: Revision | undefined, hear: Hear, brief: HearBrief): Stop {
    const more = after === undefined ? {} : { "last-event-id": String(after) };
    return this.#get("stream", { ...more, accept: "text/event-stream" }, hear, async (response, say) => {
      if (response.status !== 200) return refused(response, say);
      say({ on: "opened" });
      const parser = createParser({
        maxBufferSize: MESSAGE_CHARS_MAX,
        onEvent: ({ event, data }) => {
          const message = event === "brief" ? hearBrief(data, brief) : readMessage(event, data);
          if (message !== undefined) say(message);
        },
        onComment: (text) => {
          const heartbeat = readComment(text);
          if (heartbeat !== undefined) say(heartbeat);
        },
        onRetry: (retryMs) => say({ on: "hinted", retryMs }),
        onError: ({ type }) => {
          if (type === "max-buffer-size-exceeded") say(unusable("a message of the stream is too long"));
        },
      });
      const decoder = new TextDecoder();
      for await (const bytes of response.body ?? []) {
        say({ on: "heard" });
        parser.feed(decoder.decode(bytes as Uint8Array, { stream: true }));
      }
      say({ on: "failed", failure: { kind: "ended", detail: "the upstream ended the stream" } });
    });
  }

  /** Asks for everything once; `holding` is the revision that need not be sent again. */
  poll(holding: Revision | undefined, hear: Hear, brief: HearBrief): Stop {
    const etag = this.#tag !== undefined && this.#tag.revision === holding ? this.#tag.etag : undefined;
    const more = etag === undefined ? {} : { "if-none-match": etag };
    return this.#get("state", more, hear, async (response, say) => {
      if (response.status === 304) return say({ on: "unchanged" });
      if (response.status !== 200) return refused(response, say);
      const state = (await response.json()) as Partial<RelayState>;
      const problem = isBrief(state.brief) ? brief(state.brief) : "the state has no brief";
      if (problem !== undefined) return say(unusable(problem));
      if (!isSnapshot(state.snapshot)) return say(unusable("the state has no snapshot"));
      const tag = response.headers.get("etag");
      this.#tag = tag === null ? undefined : { revision: state.snapshot.revision, etag: tag };
      say({ on: "snapshot", snapshot: state.snapshot });
    });
  }

  /** Sends to a door; `undefined` once it is taken, else why it is not. */
  async send<D extends keyof Sent>(door: D, body: Sent[D], signal: AbortSignal): Promise<string | undefined> {
    // Not `AbortSignal.any` of one made by `AbortSignal.timeout`: nothing holds that one, and once it is collected it never fires.
    const patience = new AbortController();
    const leave = (): void => patience.abort();
    const timer = setTimeout(() => patience.abort(new DOMException("no answer", "TimeoutError")), POST_TIMEOUT_MS);
    signal.addEventListener("abort", leave, { once: true });
    if (signal.aborted) leave();
    try {
      const response = await fetch(`${this.#base}/${door}`, {
        method: "POST",
        headers: { ...this.#headers, "content-type": "application/json", ...(door === "events" ? GZIP : {}) },
        body: door === "events" ? await gzipped(JSON.stringify(body)) : JSON.stringify(body),
        signal: patience.signal,
        redirect: "error",
      });
      await response.arrayBuffer();
      return response.ok ? undefined : `the upstream answered ${response.status}`;
    } catch (error) {
      return wordsOf(error);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", leave);
    }
  }

  /** A request says nothing after its first failure, and nothing after it was stopped. */
  #get(
    door: string,
    more: Readonly<Record<string, string>>,
    hear: Hear,
    read: (response: Response, say: Hear) => Promise<unknown> | unknown,
  ): Stop {
    const leave = new AbortController();
    const say: Hear = (event) => {
      if (leave.signal.aborted) return;
      if (event.on === "failed") leave.abort();
      hear(event);
    };
    fetch(`${this.#base}/${door}`, { headers: { ...this.#headers, ...more }, signal: leave.signal, redirect: "error" })
      .then((response) => read(response, say))
      .catch((error) => say({ on: "failed", failure: { kind: "network", detail: wordsOf(error) } }));
    return () => leave.abort();
  }
}

const GZIP = { "content-encoding": "gzip" } as const;

function refused(response: Response, say: Hear): void {
  const retryAfter = response.headers.get("retry-after") ?? undefined;
  say({ on: "failed", failure: failureOfStatus(response.status, retryAfter, Date.now()) });
}

function hearBrief(data: string, hear: HearBrief): ReturnType<typeof readMessage> {
  const brief = parse(data);
  const problem = isBrief(brief) ? hear(brief) : "the brief has not the form of one";
  return problem === undefined ? undefined : unusable(problem);
}

const checkBrief = compileValidator({ schema: RelayBriefSchema, method: "GET", url: "/relay/v1/stream", httpPart: "body" });

function isBrief(value: unknown): value is RelayBrief {
  return value !== undefined && !("error" in (checkBrief(value) as object));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A failed request in words; what fetch throws names its reason one level below. */
function wordsOf(error: unknown): string {
  const { cause, name } = error as { readonly cause?: { readonly code?: string }; readonly name?: string };
  if (cause?.code !== undefined) return `the upstream cannot be reached (${cause.code})`;
  return name === "TimeoutError" ? "the upstream does not answer" : "the connection to the upstream broke";
}
