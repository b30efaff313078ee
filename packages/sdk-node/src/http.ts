/*
 * HTTP by node:http and not by fetch, for one reason: its sockets can be told not to keep the process alive. An open
 * stream must not stop an application from ending by itself, and fetch offers no way to say so.
 */
import { type ClientRequest, Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { createBrotliDecompress, createGunzip } from "node:zlib";
import type { Stop } from "@belay/core/client";

/** The doors of one server for one key. */
export class HttpDoors {
  readonly #base: string;
  readonly #sdkKey: string;
  readonly #sdk: string;
  readonly #isTls: boolean;
  readonly #agent: HttpAgent;

  constructor(url: URL, sdkKey: string, sdk: string) {
    this.#base = `${url.origin}${url.pathname.replace(/\/+$/, "")}/sdk/v1/`;
    this.#sdkKey = sdkKey;
    this.#sdk = sdk;
    this.#isTls = url.protocol === "https:";
    const kept = { keepAlive: true, maxSockets: 4 };
    this.#agent = this.#isTls ? new HttpsAgent(kept) : new HttpAgent(kept);
  }

  /** Lets go of the connections kept for the next request. */
  close(): void {
    this.#agent.destroy();
  }

  /**
   * Sends one request. Exactly one of `answered` and `failed` is called, unless it is stopped first; neither is called
   * in the same turn.
   *
   * @param kept whether the connection may serve further requests afterwards
   */
  send(
    request: { method: "GET" | "POST"; door: string; headers?: Record<string, string>; body?: Uint8Array; isKept: boolean },
    answered: (response: IncomingMessage) => void,
    failed: (detail: string) => void,
  ): Stop {
    const outgoing = (this.#isTls ? httpsRequest : httpRequest)(`${this.#base}${request.door}`, {
      method: request.method,
      agent: request.isKept ? this.#agent : false,
      headers: { authorization: `Bearer ${this.#sdkKey}`, "user-agent": `belay-${this.#sdk}`, ...request.headers },
    });
    return drive(outgoing, request.body, answered, failed);
  }
}

function drive(
  outgoing: ClientRequest,
  body: Uint8Array | undefined,
  answered: (response: IncomingMessage) => void,
  failed: (detail: string) => void,
): Stop {
  let isOver = false;
  outgoing.on("socket", (socket) => socket.unref());
  outgoing.on("response", (response) => {
    // From here on the response reports; an error of the request after it says nothing new.
    const wasStopped = isOver;
    isOver = true;
    if (!wasStopped) answered(response);
  });
  outgoing.on("error", (error) => {
    if (!isOver) failed(describe(error));
    isOver = true;
  });
  outgoing.end(body);
  return () => {
    isOver = true;
    outgoing.destroy();
  };
}

/** Why a body could not be read to its end. */
export type BodyProblem = { readonly kind: "network" | "unusable"; readonly detail: string };

/**
 * Reads a body to its end, inflated, as text. Holds never more than `limitBytes` of it, whatever the sender claims or
 * sends; calls back once.
 */
export function readBody(response: IncomingMessage, limitBytes: number, done: (text: string | BodyProblem) => void): void {
  const refuse = once(done);
  const tooLarge = (): void => {
    response.destroy();
    refuse({ kind: "unusable", detail: `the answer is over ${limitBytes} bytes` });
  };
  if (Number(response.headers["content-length"]) > limitBytes) {
    tooLarge();
    return;
  }
  const encoding = response.headers["content-encoding"] ?? "identity";
  const inflater = encoding === "gzip" ? createGunzip() : encoding === "br" ? createBrotliDecompress() : undefined;
  const source = inflater === undefined ? response : response.pipe(inflater);
  const chunks: Buffer[] = [];
  let bytes = 0;
  source.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= limitBytes) chunks.push(chunk);
    else {
      chunks.length = 0;
      source.removeAllListeners("data");
      tooLarge();
    }
  });
  source.on("end", () => refuse(Buffer.concat(chunks).toString("utf8")));
  inflater?.on("error", () => {
    response.destroy();
    refuse({ kind: "unusable", detail: `the answer is not valid ${encoding}` });
  });
  response.on("error", (error) => refuse({ kind: "network", detail: describe(error) }));
  response.on("close", () => {
    if (!response.complete) refuse({ kind: "network", detail: "the answer broke off" });
  });
}

/** A connection error in words; never the address's credentials. */
function describe(error: Error & { code?: string }): string {
  return error.code === undefined ? `the connection failed (${error.message})` : `the connection failed (${error.code})`;
}

function once<T>(callback: (value: T) => void): (value: T) => void {
  let isDone = false;
  return (value) => {
    if (isDone) return;
    isDone = true;
    callback(value);
  };
}
