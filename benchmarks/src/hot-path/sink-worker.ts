import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { parentPort, workerData } from "node:worker_threads";
import { gunzipSync } from "node:zlib";

/** What the backend says and what it looks for. Paths are compared by their beginning, the longest first. */
export interface SinkPlan {
  /** Bodies of GETs by path; anything else is answered 404, a POST with `posted`. */
  readonly answers: { readonly [path: string]: string };
  /** Body of the answer to a POST. @default "{}" */
  readonly posted?: string;
  /** A path that streams: it gets this text and stays open. */
  readonly stream?: { readonly path: string; readonly opening: string };
  /** How exposures are recognised in posted bodies (pattern, counted as often as it occurs), or a header that counts them. */
  readonly exposure?: { readonly pattern: string } | { readonly header: string };
}

export type ToSink =
  | { readonly kind: "answer"; readonly path: string; readonly body: string }
  | { readonly kind: "push"; readonly text: string }
  | { readonly kind: "count" };

export type FromSink =
  | { readonly kind: "listening"; readonly port: number }
  | { readonly kind: "counted"; readonly exposures: number };

const plan = workerData as SinkPlan;
const answers = new Map(Object.entries(plan.answers));
const streams = new Set<ServerResponse>();
let exposures = 0;

const server = createServer((request, response) => {
  if (request.method === "POST") receive(request, response);
  else if (plan.stream !== undefined && request.url?.startsWith(plan.stream.path)) openStream(response, plan.stream.opening);
  else reply(request, response);
});
server.listen(0, "127.0.0.1", () => say({ kind: "listening", port: (server.address() as AddressInfo).port }));

parentPort?.on("message", (message: ToSink) => {
  if (message.kind === "answer") answers.set(message.path, message.body);
  else if (message.kind === "push") for (const stream of streams) stream.write(message.text);
  else say({ kind: "counted", exposures });
});

function say(message: FromSink): void {
  parentPort?.postMessage(message);
}

function reply(request: IncomingMessage, response: ServerResponse): void {
  const path = [...answers.keys()].sort((a, b) => b.length - a.length).find((beginning) => request.url?.startsWith(beginning));
  response.writeHead(path === undefined ? 404 : 200, { "content-type": "application/json" });
  response.end(path === undefined ? "{}" : answers.get(path));
}

function openStream(response: ServerResponse, opening: string): void {
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  response.write(opening);
  streams.add(response);
  response.on("close", () => streams.delete(response));
}

function receive(request: IncomingMessage, response: ServerResponse): void {
  const parts: Buffer[] = [];
  request.on("data", (part: Buffer) => parts.push(part));
  request.on("end", () => {
    exposures += exposuresIn(request, Buffer.concat(parts));
    response.writeHead(202, { "content-type": "application/json" });
    response.end(plan.posted ?? "{}");
  });
}

function exposuresIn(request: IncomingMessage, body: Buffer): number {
  const { exposure } = plan;
  if (exposure === undefined) return 0;
  if ("header" in exposure) return Number(request.headers[exposure.header] ?? 0);
  const isPacked = request.headers["content-encoding"] === "gzip" || (body[0] === 0x1f && body[1] === 0x8b);
  const text = (isPacked ? gunzipSync(body) : body).toString("utf8");
  return text.match(new RegExp(exposure.pattern, "g"))?.length ?? 0;
}
