/*
 * The SDK doors of a server, scriptable: snapshot, stream, events and receipts over real HTTP, with every fault a test
 * can wish for put in front of a door. It knows nothing of what flags mean; a test hands it the documents.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { gunzipSync, gzipSync } from "node:zlib";

export type DoorName = "snapshot" | "stream" | "events" | "receipt";

/** A snapshot as far as a door looks at it. */
export interface DoorDocument {
  readonly revision: number;
}

/** One request as it came in, its body inflated. */
export interface DoorRequest {
  readonly door: DoorName;
  readonly headers: IncomingMessage["headers"];
  readonly text: string;
  /** Of the body, as it came. */
  readonly bytes: number;
  readonly response: ServerResponse;
  readonly atMs: number;
}

/** What happens instead of, or before, the honest answer; `answer` gives that one. */
export type Behaviour = (request: DoorRequest, answer: () => void) => void;

/** An event as it came in a batch. */
export interface DoorEvent {
  readonly list: "exposures" | "metrics";
  readonly instance: string;
  readonly seq: number;
  readonly [field: string]: unknown;
}

export interface SdkDoorOptions {
  readonly sdkKey?: string;
  readonly snapshot?: DoorDocument;
  /** @default 15,000 */
  readonly heartbeatMs?: number;
  /** Sent as `retry:` when a stream opens; absent: nothing is. */
  readonly retryMs?: number;
  /** Reads a body of a content type of the test's own; `undefined` where the body is as it seems. */
  readonly decode?: (type: string, body: Buffer) => Uint8Array | undefined;
}

export interface SdkDoor {
  readonly url: string;
  readonly port: number;
  /** Put a fault in front of a door, or take it away with `undefined`. */
  behave(door: DoorName, behaviour: Behaviour | undefined): void;
  /** The current snapshot; setting it tells nobody. */
  snapshot: DoorDocument | undefined;
  /** Sets the snapshot and sends the change to every open stream. */
  publish(snapshot: DoorDocument, change: object): void;
  /** Writes raw text to every open stream. */
  write(text: string): void;
  /** Ends every open stream in good order. */
  endStreams(): void;
  readonly openStreams: number;
  readonly requests: readonly DoorRequest[];
  count(door: DoorName): number;
  /** Times a browser asked for leave first, by address. */
  readonly preflights: readonly string[];
  /** Every event stored, once each, in order of arrival. */
  readonly events: readonly DoorEvent[];
  /** Events that came again. */
  readonly duplicates: number;
  readonly counts: readonly { flag: string; variant?: string; count: number }[];
  /** The last totals of each arm, by `instance/experiment|release/variant`. */
  readonly ledgers: ReadonlyMap<string, { produced: number; dropped: number }>;
  readonly receipts: readonly { revision: number }[];
  /** Goes away as a killed process does: connections reset, port refused. */
  stop(): Promise<void>;
  /** Comes back on the same port, with everything it stored. */
  start(): Promise<void>;
}

interface ReceivedBatch {
  readonly instance: string;
  readonly exposures?: readonly { seq: number }[];
  readonly metrics?: readonly { seq: number }[];
  readonly counts?: readonly { flag: string; variant?: string; count: number }[];
  readonly ledger?: readonly { experiment?: string; release?: string; variant: string; produced: number; dropped: number }[];
}

/** Starts the doors on a free loopback port. */
export async function startSdkDoor(options: SdkDoorOptions = {}): Promise<SdkDoor> {
  const door = new ScriptedDoor(options);
  await door.start();
  return door;
}

class ScriptedDoor implements SdkDoor {
  snapshot: DoorDocument | undefined;
  readonly requests: DoorRequest[] = [];
  readonly preflights: string[] = [];
  readonly counts: { flag: string; variant?: string; count: number }[] = [];
  readonly ledgers = new Map<string, { produced: number; dropped: number }>();
  readonly receipts: { revision: number }[] = [];
  duplicates = 0;
  readonly #options: SdkDoorOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #streams = new Set<ServerResponse>();
  readonly #behaviours = new Map<DoorName, Behaviour>();
  readonly #stored = new Map<string, DoorEvent>();
  #port = 0;

  constructor(options: SdkDoorOptions) {
    this.#options = options;
    this.snapshot = options.snapshot;
    this.#server = createServer((request, response) => this.#receive(request, response));
    this.#server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
    const heartbeat = setInterval(
      () => this.write(`: revision ${this.snapshot?.revision ?? 0}\n\n`),
      options.heartbeatMs ?? 15_000,
    );
    heartbeat.unref();
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get openStreams(): number {
    return this.#streams.size;
  }

  get events(): readonly DoorEvent[] {
    return [...this.#stored.values()];
  }

  count(door: DoorName): number {
    return this.requests.filter((request) => request.door === door).length;
  }

  behave(door: DoorName, behaviour: Behaviour | undefined): void {
    if (behaviour === undefined) this.#behaviours.delete(door);
    else this.#behaviours.set(door, behaviour);
  }

  publish(snapshot: DoorDocument, change: object): void {
    this.snapshot = snapshot;
    this.write(message("change", snapshot.revision, change));
  }

  write(text: string): void {
    for (const stream of this.#streams) stream.write(text);
  }

  endStreams(): void {
    for (const stream of this.#streams) stream.end();
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(this.#port, "127.0.0.1", () => {
        this.#server.off("error", reject);
        resolve();
      });
    });
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.resetAndDestroy();
    await closed;
  }

  async #receive(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    // Browsers of any origin may ask, as on the real doors.
    response.setHeader("access-control-allow-origin", "*");
    if (incoming.method === "OPTIONS") {
      this.preflights.push(incoming.url ?? "");
      response
        .writeHead(204, { "access-control-allow-headers": "authorization, last-event-id", "access-control-max-age": "7200" })
        .end();
      return;
    }
    const door = DOORS[`${incoming.method} ${incoming.url}`];
    if (door === undefined) return void response.writeHead(404).end();
    const body = await readAll(incoming).catch(() => undefined);
    if (body === undefined) return;
    const text = this.#textOf(incoming, body);
    const request: DoorRequest = {
      door,
      headers: incoming.headers,
      text,
      bytes: body.length,
      response,
      atMs: performance.now(),
    };
    this.requests.push(request);
    const answer = (): void => this.#answer(request);
    const behaviour = this.#behaviours.get(door);
    if (behaviour === undefined) answer();
    else behaviour(request, answer);
  }

  #textOf({ headers }: IncomingMessage, body: Buffer): string {
    if (headers["content-encoding"] === "gzip") return gunzipSync(body).toString("utf8");
    const decoded = this.#options.decode?.(headers["content-type"] ?? "", body);
    return Buffer.from(decoded ?? body).toString("utf8");
  }

  #answer(request: DoorRequest): void {
    const { sdkKey } = this.#options;
    if (sdkKey !== undefined && keyOf(request) !== sdkKey) {
      json(request.response, 401, {});
      return;
    }
    switch (request.door) {
      case "snapshot":
        this.#answerSnapshot(request);
        break;
      case "stream":
        this.#openStream(request);
        break;
      case "events":
        this.#store(request);
        break;
      case "receipt":
        this.receipts.push(JSON.parse(request.text) as { revision: number });
        json(request.response, 202, {});
        return;
    }
  }

  #answerSnapshot({ headers, response }: DoorRequest): void {
    if (this.snapshot === undefined) {
      json(response, 503, {});
      return;
    }
    const etag = `"${this.snapshot.revision}"`;
    if (headers["if-none-match"] === etag) return void response.writeHead(304, { etag }).end();
    const body = gzipSync(JSON.stringify(this.snapshot));
    response.writeHead(200, { "content-type": "application/json", "content-encoding": "gzip", etag }).end(body);
  }

  #openStream({ headers, response }: DoorRequest): void {
    if (this.snapshot === undefined) {
      json(response, 503, {});
      return;
    }
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    response.flushHeaders();
    if (this.#options.retryMs !== undefined) response.write(`retry: ${this.#options.retryMs}\n\n`);
    const isCurrent = headers["last-event-id"] === String(this.snapshot.revision);
    if (!isCurrent) response.write(message("snapshot", this.snapshot.revision, this.snapshot));
    this.#streams.add(response);
    response.on("close", () => this.#streams.delete(response));
  }

  #store({ text, response }: DoorRequest): void {
    const batch = JSON.parse(text) as ReceivedBatch;
    let accepted = 0;
    let duplicates = 0;
    for (const list of ["exposures", "metrics"] as const) {
      for (const event of batch[list] ?? []) {
        const id = `${batch.instance}-${event.seq}`;
        if (this.#stored.has(id)) duplicates += 1;
        else accepted += 1;
        this.#stored.set(id, this.#stored.get(id) ?? { ...event, list, instance: batch.instance });
      }
    }
    this.duplicates += duplicates;
    this.counts.push(...(batch.counts ?? []));
    for (const { experiment, release, variant, produced, dropped } of batch.ledger ?? []) {
      this.ledgers.set(`${batch.instance}/${experiment ?? release}/${variant}`, { produced, dropped });
    }
    json(response, 202, { accepted, duplicates, rejected: [] });
  }
}

/** In the header, or in the body of a batch that a page sent while it went away. */
function keyOf({ door, headers, text }: DoorRequest): string | undefined {
  if (headers.authorization !== undefined) return headers.authorization.slice("Bearer ".length);
  return door === "events" ? (JSON.parse(text) as { sdkKey?: string }).sdkKey : undefined;
}

const DOORS: Readonly<Record<string, DoorName>> = {
  "GET /sdk/v1/snapshot": "snapshot",
  "GET /sdk/v1/stream": "stream",
  "POST /sdk/v1/events": "events",
  "POST /sdk/v1/receipt": "receipt",
};

/** Faults to put in front of a door. */
export const doorFaults: {
  readonly status: (status: number, headers?: Record<string, string>) => Behaviour;
  readonly burst: (status: number, times: number) => Behaviour;
  readonly wrongLength: (body: string, bytes: number) => Behaviour;
  readonly delay: (delayMs: number) => Behaviour;
  readonly hang: Behaviour;
  readonly loseAnswer: Behaviour;
  readonly html: Behaviour;
  readonly wrongGzip: Behaviour;
  readonly body: (chunks: () => Iterable<string | Uint8Array>, headers?: Record<string, string>) => Behaviour;
} = {
  /** Answers a status and nothing else. */
  status:
    (status, headers = {}) =>
    ({ response }) =>
      void response.writeHead(status, headers).end(),
  /** Answers the status so many times, and honestly from then on. */
  burst: (status, times) => {
    let left = times;
    return ({ response }, answer) => (left-- > 0 ? void response.writeHead(status).end() : answer());
  },
  /** Announces so many bytes more than the body has (or, below 0, fewer), and ends the connection after it. */
  wrongLength:
    (body, bytes) =>
    ({ response }) => {
      // Past Node, which would not send what is wrong.
      const head = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body) + bytes}`;
      response.socket?.end(`${head}\r\nconnection: close\r\n\r\n${body}`);
    },
  delay: (delayMs) => (_request, answer) => void setTimeout(answer, delayMs).unref(),
  /** Never answers. */
  hang: () => {},
  /** Does what was asked, and the answer is lost on the way. */
  loseAnswer: (request, answer) => {
    const { response } = request;
    response.writeHead = () => response;
    response.end = () => {
      response.socket?.resetAndDestroy();
      return response;
    };
    answer();
  },
  /** The page of some proxy, with status 200. */
  html: ({ response }) =>
    void response.writeHead(200, { "content-type": "text/html" }).end("<!doctype html><title>Sign in</title>"),
  /** Says gzip and is not. */
  wrongGzip: ({ response }) =>
    void response.writeHead(200, { "content-type": "application/json", "content-encoding": "gzip" }).end("not gzip at all"),
  /** Any body, written as fast as the receiver reads it. */
  body:
    (chunks, headers = { "content-type": "application/json" }) =>
    ({ response }) => {
      response.writeHead(200, headers);
      void writeAll(response, chunks());
    },
};

async function writeAll(response: ServerResponse, chunks: Iterable<string | Uint8Array>): Promise<void> {
  for (const chunk of chunks) {
    if (response.destroyed) return;
    if (response.write(chunk)) continue;
    await drained(response);
  }
  response.end();
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const over = (): void => {
      response.off("drain", over);
      response.off("close", over);
      resolve();
    };
    response.on("drain", over);
    response.on("close", over);
  });
}

function message(name: string, id: number, document: object): string {
  return `event: ${name}\nid: ${id}\ndata: ${JSON.stringify(document)}\n\n`;
}

function json(response: ServerResponse, status: number, document: object): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(document));
}

async function readAll(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
