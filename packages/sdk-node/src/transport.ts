import type { IncomingMessage } from "node:http";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import {
  failureOfStatus,
  type Hear,
  type PostResult,
  type PostTransport,
  readComment,
  readMessage,
  readSnapshot,
  retryAfterMs,
  type SnapshotTransport,
  type Stop,
  unusable,
} from "@belay/core/client";
import type { Revision } from "@belay/protocol";
import { createParser, type EventSourceParser } from "eventsource-parser";
import { type HttpDoors, readBody } from "./http.ts";

/**
 * A snapshot at most, inflated, or one message of the stream. Room for tens of thousands of flags, and little enough
 * that a server gone mad cannot fill the application's memory.
 */
export const SNAPSHOT_BYTES_MAX: number = 16 * 1024 * 1024;

/** What a server may say about a batch. */
const ANSWER_BYTES_MAX = 1024 * 1024;

/** Below this a body is sent as it is: inflating costs the server more than the bytes saved. */
const GZIP_BYTES_MIN = 1_024;

const gzipped = promisify(gzip);

/** The doors of `/sdk/v1` as the core wants them. */
export class HttpTransport implements SnapshotTransport, PostTransport {
  readonly #doors: HttpDoors;
  /** The tag of the last snapshot polled: sent back only while it names what is held. */
  #tag: { readonly revision: Revision; readonly etag: string } | undefined;

  constructor(doors: HttpDoors) {
    this.#doors = doors;
  }

  stream(after: Revision | undefined, hear: Hear): Stop {
    const headers = {
      accept: "text/event-stream",
      "cache-control": "no-store",
      ...(after === undefined ? {} : { "last-event-id": String(after) }),
    };
    return untilOver(hear, (say) =>
      this.#doors.send(
        { method: "GET", door: "stream", headers, isKept: false },
        (response) => readStream(response, say),
        (detail) => say({ on: "failed", failure: { kind: "network", detail } }),
      ),
    );
  }

  poll(holding: Revision | undefined, hear: Hear): Stop {
    const etag = this.#tag?.revision === holding ? this.#tag?.etag : `"${holding}"`;
    const headers = {
      accept: "application/json",
      "accept-encoding": "br, gzip",
      ...(holding === undefined || etag === undefined ? {} : { "if-none-match": etag }),
    };
    return untilOver(hear, (say) =>
      this.#doors.send(
        { method: "GET", door: "snapshot", headers, isKept: true },
        (response) => this.#readPoll(response, say),
        (detail) => say({ on: "failed", failure: { kind: "network", detail } }),
      ),
    );
  }

  post(door: "events" | "receipt", body: string, done: (result: PostResult) => void): Stop {
    let stopRequest: Stop = () => {};
    let isStopped = false;
    const send = (bytes: Uint8Array, encoding: Record<string, string>): void => {
      if (!isStopped) stopRequest = this.#post(door, bytes, encoding, (result) => isStopped || done(result));
    };
    if (body.length < GZIP_BYTES_MIN) send(Buffer.from(body), {});
    else
      gzipped(body).then(
        (bytes) => send(bytes, { "content-encoding": "gzip" }),
        () => send(Buffer.from(body), {}),
      );
    return () => {
      isStopped = true;
      stopRequest();
    };
  }

  #post(door: string, body: Uint8Array, encoding: Record<string, string>, finish: (result: PostResult) => void): Stop {
    const headers = { "content-type": "application/json", "content-length": String(body.length), ...encoding };
    return this.#doors.send(
      { method: "POST", door, headers, body, isKept: true },
      (response) =>
        readBody(response, ANSWER_BYTES_MAX, (text) => {
          if (typeof text !== "string") return finish({ kind: "failed", detail: text.detail });
          const askedMs = retryAfterMs(response.headers["retry-after"], Date.now());
          finish({ kind: "answered", status: response.statusCode ?? 0, text, retryAfterMs: askedMs });
        }),
      (detail) => finish({ kind: "failed", detail }),
    );
  }

  #readPoll(response: IncomingMessage, hear: Hear): void {
    if (response.statusCode === 304) {
      response.resume();
      hear({ on: "unchanged" });
      return;
    }
    if (response.statusCode !== 200) {
      refuse(response, hear);
      return;
    }
    if (!isType(response, "application/json")) {
      refuseType(response, "application/json", hear);
      return;
    }
    readBody(response, SNAPSHOT_BYTES_MAX, (text) => {
      if (typeof text !== "string") return hear({ on: "failed", failure: text });
      const snapshot = readSnapshot(text);
      if (typeof snapshot === "string") return hear(unusable(`the snapshot ${snapshot}`));
      const { etag } = response.headers;
      this.#tag = etag === undefined ? undefined : { revision: snapshot.revision, etag };
      hear({ on: "snapshot", snapshot });
    });
  }
}

/** A request says nothing after its first failure, and nothing after it was stopped: sockets have much to say at their end. */
function untilOver(hear: Hear, open: (say: Hear) => Stop): Stop {
  let isOver = false;
  const stop = open((event) => {
    if (isOver) return;
    isOver = event.on === "failed";
    hear(event);
  });
  return () => {
    isOver = true;
    stop();
  };
}

function readStream(response: IncomingMessage, hear: Hear): void {
  if (response.statusCode !== 200) {
    refuse(response, hear);
    return;
  }
  if (!isType(response, "text/event-stream")) {
    refuseType(response, "text/event-stream", hear);
    return;
  }
  hear({ on: "opened" });
  const parser = parserFor(response, hear);
  response.setEncoding("utf8");
  response.on("data", (chunk: string) => {
    hear({ on: "heard" });
    // One message may have ended this stream already; what came with it is not for us.
    if (!response.destroyed) parser.feed(chunk);
  });
  response.on("end", () => hear({ on: "failed", failure: { kind: "ended", detail: "the server ended the stream" } }));
  response.on("error", () => hear({ on: "failed", failure: { kind: "network", detail: "the stream broke off" } }));
  response.on("close", () => hear({ on: "failed", failure: { kind: "network", detail: "the stream broke off" } }));
}

function parserFor(response: IncomingMessage, hear: Hear): EventSourceParser {
  return createParser({
    maxBufferSize: SNAPSHOT_BYTES_MAX,
    onEvent: ({ event, data }) => {
      const message = readMessage(event, data);
      if (message !== undefined) hear(message);
    },
    onComment: (text) => {
      const heartbeat = readComment(text);
      if (heartbeat !== undefined) hear(heartbeat);
    },
    onRetry: (retryMs) => hear({ on: "hinted", retryMs }),
    onError: ({ type }) => {
      if (type !== "max-buffer-size-exceeded") return;
      hear(unusable(`a message of the stream is over ${SNAPSHOT_BYTES_MAX} characters`));
      response.destroy();
    },
  });
}

function refuse(response: IncomingMessage, hear: Hear): void {
  const failure = failureOfStatus(response.statusCode ?? 0, response.headers["retry-after"], Date.now());
  response.destroy();
  hear({ on: "failed", failure });
}

function refuseType(response: IncomingMessage, wanted: string, hear: Hear): void {
  const received = String(response.headers["content-type"] ?? "nothing").slice(0, 100);
  response.destroy();
  hear(unusable(`the server answered with ${received} instead of ${wanted}`));
}

function isType(response: IncomingMessage, wanted: string): boolean {
  return (response.headers["content-type"] ?? "").toLowerCase().startsWith(wanted);
}
