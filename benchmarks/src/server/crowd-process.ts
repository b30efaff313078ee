/*
 * Many clients of streams in one process, over bare sockets: what a client costs must not be taken for what the server costs.
 * Told by messages what to do, it answers each with one.
 */
import { connect, type Socket } from "node:net";
import type { CrowdOrder, CrowdReport } from "./crowd.ts";

const OPENED_AT_ONCE = 50;
/** A client that is refused, or finds nobody, waits twice as long each time, spread by half, and no longer than this. */
const WAIT_MAX_MS = 30_000;

interface Client {
  socket: Socket | undefined;
  /** As the stream said last. */
  retryMs: number;
  failures: number;
  isOpen: boolean;
}

const clients: Client[] = [];
/** When each client was back, in ms of the wall clock. */
const back: number[] = [];
let target = { port: 0, head: "" };
let isReconnecting = false;
let heard = 0;
let whenHeard: (() => void) | undefined;

process.on("message", (order: CrowdOrder) => void obey(order));

async function obey(order: CrowdOrder): Promise<void> {
  switch (order.kind) {
    case "open":
      target = { port: order.port, head: order.head };
      for (let left = order.count; left > 0; left -= OPENED_AT_ONCE) {
        await Promise.all(Array.from({ length: Math.min(left, OPENED_AT_ONCE) }, () => openNew()));
      }
      return report({ kind: "opened", open: clients.filter(({ isOpen }) => isOpen).length });
    case "listen": {
      heard = 0;
      const all = new Promise<void>((resolve) => {
        whenHeard = resolve;
      });
      report({ kind: "listening" });
      await all;
      return report({ kind: "heard", at: wallMs() });
    }
    case "reconnect":
      isReconnecting = true;
      back.length = 0;
      return report({ kind: "listening" });
    case "back":
      return report({ kind: "back", at: back });
    case "close":
      // Its sockets end with it; one by one they would come back.
      process.exit(0);
  }
}

function openNew(): Promise<void> {
  const client: Client = { socket: undefined, retryMs: 1_000, failures: 0, isOpen: false };
  clients.push(client);
  return new Promise((resolve) => open(client, resolve));
}

function open(client: Client, opened: () => void): void {
  const socket = connect({ host: "127.0.0.1", port: target.port, noDelay: true });
  client.socket = socket;
  socket.on("connect", () => socket.write(target.head));
  socket.on("data", (bytes: Buffer) => {
    if (!client.isOpen) {
      if (!bytes.includes("HTTP/1.1 200")) {
        socket.destroy();
        return;
      }
      client.isOpen = true;
      client.failures = 0;
      back.push(wallMs());
      opened();
    }
    const retry = /(?:^|\n)retry: (\d+)/.exec(bytes.toString("latin1"))?.[1];
    if (retry !== undefined) client.retryMs = Number(retry);
    if (bytes.includes("event: change") && ++heard === clients.length) whenHeard?.();
  });
  socket.on("error", () => undefined);
  socket.on("close", () => {
    if (!client.isOpen) client.failures += 1;
    client.isOpen = false;
    if (!isReconnecting) {
      opened();
      return;
    }
    const waitMs = Math.min(WAIT_MAX_MS, client.retryMs * 2 ** client.failures);
    const spread = client.failures === 0 ? 1 : 0.5 + Math.random() / 2;
    setTimeout(() => open(client, () => undefined), waitMs * spread);
  });
}

function wallMs(): number {
  return performance.timeOrigin + performance.now();
}

function report(message: CrowdReport): void {
  process.send?.(message);
}
