import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { type FaultProxy, startFaultProxy } from "./fault-proxy.ts";

const BODY = Buffer.alloc(10_000, "x");

/** A server that sends ten thousand bytes to everybody, and then back what it is sent, behind a proxy. */
async function proxied(): Promise<FaultProxy> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.write(BODY);
    socket.on("data", (bytes) => socket.write(bytes));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const proxy = await startFaultProxy((server.address() as AddressInfo).port);
  onTestFinished(async () => {
    await proxy.close();
    server.close();
  });
  return proxy;
}

interface Received {
  readonly socket: Socket;
  bytes: number;
  end: "end" | "reset" | undefined;
  isClosed: boolean;
}

function connected(proxy: FaultProxy): Received {
  const socket = connect(proxy.port, "127.0.0.1");
  const received: Received = { socket, bytes: 0, end: undefined, isClosed: false };
  socket.on("close", () => {
    received.isClosed = true;
  });
  socket.on("data", (chunk) => {
    received.bytes += chunk.length;
  });
  socket.on("end", () => {
    received.end ??= "end";
  });
  socket.on("error", () => {
    received.end = "reset";
  });
  onTestFinished(() => void socket.destroy());
  return received;
}

describe("the fault proxy", () => {
  it("falls silent once enough bytes went to the client, and ends nothing", async () => {
    const proxy = await proxied();
    proxy.faults.silentAfterBytes = 10_002;
    const received = connected(proxy);
    for (const count of [10_001, 10_002]) {
      received.socket.write("?");
      await expect.poll(() => received.bytes).toBe(count);
    }
    received.socket.write("?");
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect([received.bytes, received.end]).toEqual([10_002, undefined]);
  });

  it("without a fault carries every byte", async () => {
    const received = connected(await proxied());
    await expect.poll(() => received.bytes).toBe(10_000);
    expect(received.end).toBeUndefined();
  });

  it("cuts the connection after exactly so many bytes", async () => {
    const proxy = await proxied();
    proxy.faults.cutAfterBytes = 1_234;
    const received = connected(proxy);
    await expect.poll(() => received.isClosed).toBe(true);
    expect(received.bytes).toBe(1_234);
  });

  it("ends connections at once, in good order", async () => {
    const proxy = await proxied();
    proxy.faults.isClosingAtOnce = true;
    const received = connected(proxy);
    await expect.poll(() => received.isClosed).toBe(true);
    expect(received).toMatchObject({ bytes: 0, end: "end" });
    expect(proxy.accepted).toBe(1);
  });

  it("half open carries nothing and says nothing, and such a connection stays dead", async () => {
    const proxy = await proxied();
    proxy.faults.isHalfOpen = true;
    const received = connected(proxy);
    await new Promise((resolve) => setTimeout(resolve, 100));
    proxy.faults.isHalfOpen = false;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(received).toMatchObject({ bytes: 0, end: undefined });
    const next = connected(proxy);
    await expect.poll(() => next.bytes).toBe(10_000);
  });

  it("delays", async () => {
    const proxy = await proxied();
    proxy.faults.latencyMs = 150;
    const fromMs = performance.now();
    const received = connected(proxy);
    await expect.poll(() => received.bytes, { interval: 5 }).toBe(10_000);
    expect(performance.now() - fromMs).toBeGreaterThanOrEqual(149);
  });

  it("drips, and loses nothing by it", async () => {
    const proxy = await proxied();
    proxy.faults.dripBytes = 1_000;
    const fromMs = performance.now();
    const received = connected(proxy);
    await expect.poll(() => received.bytes, { interval: 5 }).toBe(10_000);
    expect(performance.now() - fromMs).toBeGreaterThanOrEqual(85);
  });

  it("resets what is open, refuses what comes, and takes connections again on the same port", async () => {
    const proxy = await proxied();
    const received = connected(proxy);
    await expect.poll(() => received.bytes).toBe(10_000);
    await proxy.refuse();
    await expect.poll(() => received.end).toBe("reset");
    const refused = connected(proxy);
    await expect.poll(() => refused.isClosed).toBe(true);
    expect(refused).toMatchObject({ bytes: 0, end: "reset" });
    await proxy.restore();
    const restored = connected(proxy);
    await expect.poll(() => restored.bytes).toBe(10_000);
    expect(proxy.accepted).toBe(2);
  });
});
