/*
 * The least a server on Fastify must do: the same bytes without asking who asks, and streams that get one ready-made frame.
 * A program of its own: `PORT` says where it listens, the first line it reads is the snapshot it serves.
 */

import type { Socket } from "node:net";
import { createInterface } from "node:readline";
import { gzipSync } from "node:zlib";
import fastify from "fastify";

const ETAG = '"1"';
const FRAME = Buffer.from(`event: change\nid: 2\ndata: ${"x".repeat(1_000)}\n\n`);
const CHUNK = Buffer.concat([Buffer.from(`${FRAME.length.toString(16)}\r\n`), FRAME, Buffer.from("\r\n")]);

const [snapshot = "{}"] = await firstLine();
const plain = Buffer.from(snapshot);
const packed = gzipSync(plain);
const streams = new Set<Socket>();
const app = fastify();

app.get("/sdk/v1/snapshot", (request, reply) => {
  reply.header("etag", ETAG);
  if (request.headers["if-none-match"] === ETAG) return reply.code(304).send();
  reply.type("application/json; charset=utf-8");
  if (request.headers["accept-encoding"] !== "gzip") return reply.send(plain);
  return reply.header("content-encoding", "gzip").send(packed);
});

app.get("/sdk/v1/stream", (_, reply) => {
  reply.hijack();
  reply.raw.writeHead(200, { "content-type": "text/event-stream", "transfer-encoding": "chunked" });
  reply.raw.flushHeaders();
  const { socket } = reply.raw;
  if (socket === null) return;
  socket.setNoDelay(true).setTimeout(0);
  streams.add(socket);
  socket.once("close", () => streams.delete(socket));
});

app.post("/change", (_, reply) => {
  for (const socket of streams) socket.write(CHUNK);
  reply.code(204).send();
});

process.once("SIGTERM", () => process.exit(0));
await app.listen({ host: "127.0.0.1", port: Number(process.env["PORT"]) });
console.log("ready");

async function firstLine(): Promise<string[]> {
  for await (const line of createInterface({ input: process.stdin })) return [line];
  return [];
}
