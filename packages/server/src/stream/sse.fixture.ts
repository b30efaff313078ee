import { type ClientRequest, get, type IncomingMessage } from "node:http";

/** One event as it came over the wire. */
export interface Received {
  readonly event: string;
  readonly id: number;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads what it just asserts on
  readonly data: any;
  /** Time of arrival, on the monotonic clock. */
  readonly atMs: number;
}

/** A plain reader of server-sent events over a real socket. */
export interface Reader {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly events: Received[];
  /** Every `retry:` it was told. */
  readonly retries: number[];
  /** Every comment, and how many events had come before it. */
  readonly heartbeats: { readonly text: string; readonly events: number }[];
  /** Resolves once so many events came, or rejects after 10 s. */
  readonly until: (count: number) => Promise<Received[]>;
  /** Resolves when the server ended the stream: `end` in order, `cut` without. */
  readonly ended: Promise<"end" | "cut">;
  readonly response: IncomingMessage;
  readonly request: ClientRequest;
}

/** Reads the stream of SDKs. */
export function readStream(url: string, key: string, headers: Readonly<Record<string, string>> = {}): Promise<Reader> {
  return readEvents(`${url}/sdk/v1/stream`, { authorization: `Bearer ${key}`, ...headers });
}

/** Reads any stream of this server. */
export function readEvents(address: string, headers: Readonly<Record<string, string>> = {}): Promise<Reader> {
  return new Promise((resolve, reject) => {
    const request = get(address, { agent: false, headers });
    request.once("error", reject);
    request.once("response", (response) => {
      request.off("error", reject);
      request.on("error", () => undefined);
      resolve(read(request, response));
    });
  });
}

function read(request: ClientRequest, response: IncomingMessage): Reader {
  const waiters: (() => void)[] = [];
  let text = "";
  const ended = new Promise<"end" | "cut">((resolve) => {
    response.once("end", () => resolve("end"));
    response.once("error", () => resolve("cut"));
    response.once("close", () => resolve("cut"));
  });
  const reader: Reader = {
    status: response.statusCode ?? 0,
    headers: response.headers,
    events: [],
    retries: [],
    heartbeats: [],
    ended,
    response,
    request,
    until: (count) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`${reader.events.length} of ${count} events came`)), 10_000);
        const check = (): void => {
          if (reader.events.length < count) return;
          clearTimeout(timer);
          resolve(reader.events);
        };
        waiters.push(check);
        check();
      }),
  };
  response.setEncoding("utf8").on("data", (chunk: string) => {
    const blocks = `${text}${chunk}`.split("\n\n");
    text = blocks.pop() ?? "";
    for (const block of blocks) note(reader, block);
    for (const check of waiters) check();
  });
  return reader;
}

function note(reader: Reader, block: string): void {
  const fields = new Map(
    block.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trimStart()]),
  );
  const comment = fields.get("");
  if (comment !== undefined) reader.heartbeats.push({ text: comment, events: reader.events.length });
  if (fields.has("retry")) reader.retries.push(Number(fields.get("retry")));
  if (!fields.has("event")) return;
  reader.events.push({
    event: fields.get("event") ?? "",
    id: Number(fields.get("id")),
    // Parsed when asked for: most readers of a crowd only count.
    get data() {
      return JSON.parse(fields.get("data") ?? "null");
    },
    atMs: performance.now(),
  });
}
