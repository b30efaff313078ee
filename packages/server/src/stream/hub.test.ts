import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from "vitest";
import { Hub, type StreamSource } from "./hub.ts";

/** A source that tells what a test says. */
class Told implements StreamSource {
  readonly revision = 1;
  readonly #listeners = new Set<(frame: Buffer) => void>();

  get listeners(): number {
    return this.#listeners.size;
  }

  onChange(listener: (frame: Buffer) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  tell(...frames: string[]): void {
    for (const frame of frames) for (const listener of this.#listeners) listener(Buffer.from(frame));
  }
}

const waiting: ((response: ServerResponse) => void)[] = [];
const server = createServer((_, response) => waiting.shift()?.(response));
beforeAll(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

/** A response whose head was sent, with what is written to its socket from now on. */
async function opened(): Promise<{ response: ServerResponse; written: () => string[]; leave: () => Promise<void> }> {
  const asked = new Promise<ServerResponse>((resolve) => waiting.push(resolve));
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  client.resume().write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
  const response = await asked;
  response.writeHead(200).flushHeaders();
  const { socket } = response;
  if (socket === null) throw new Error("the client has gone");
  const write = vi.spyOn(socket, "write");
  const leave = async (): Promise<void> => {
    client.destroy();
    await once(response, "close");
  };
  onTestFinished(() => void client.destroy());
  return { response, written: () => write.mock.calls.map(([data]) => String(data)).slice(1), leave };
}

function hub(): Hub {
  const made = new Hub({ random: () => 0 });
  onTestFinished(() => made.close());
  return made;
}

const microtask = (): Promise<void> => Promise.resolve();

it("writes what is told together in one piece to every stream, and what is told later by itself", async () => {
  const [streams, source] = [hub(), new Told()];
  const clients = [await opened(), await opened()];
  for (const { response } of clients) streams.open(response, "key", source, []);
  source.tell("a;", "b;", "c;");
  await microtask();
  source.tell("d;");
  await microtask();
  expect(clients.map(({ written }) => written())).toEqual([
    ["a;b;c;", "d;"],
    ["a;b;c;", "d;"],
  ]);
});

it("brings a stream that is opened meanwhile nothing twice", async () => {
  const [streams, source] = [hub(), new Told()];
  const [early, late] = [await opened(), await opened()];
  streams.open(early.response, "key", source, []);
  source.tell("a;");
  streams.open(late.response, "key", source, [Buffer.from("all up to a;")]);
  source.tell("b;");
  await microtask();
  expect([early.written(), late.written()]).toEqual([
    ["a;", "b;"],
    ["all up to a;", "b;"],
  ]);
});

it("holds back no more than 64 KB", async () => {
  const [streams, source] = [hub(), new Told()];
  const client = await opened();
  streams.open(client.response, "key", source, []);
  source.tell("x".repeat(40 * 1024), "y".repeat(40 * 1024), "z");
  await microtask();
  expect(client.written().map(({ length }) => length)).toEqual([40 * 1024, 40 * 1024 + 1]);
});

it("listens to a source for as long as somebody does, and goes on for the others when one leaves", async () => {
  const [streams, source] = [hub(), new Told()];
  const [one, other] = [await opened(), await opened()];
  streams.open(one.response, "key", source, []);
  streams.open(other.response, "key", source, []);
  expect([source.listeners, streams.size]).toEqual([1, 2]);
  await one.leave();
  source.tell("a;");
  await microtask();
  expect([one.written(), other.written(), streams.size]).toEqual([[], ["a;"], 1]);
  await other.leave();
  expect([source.listeners, streams.size]).toEqual([0, 0]);
  const again = await opened();
  streams.open(again.response, "key", source, []);
  source.tell("b;");
  await microtask();
  expect(again.written()).toEqual(["b;"]);
});
