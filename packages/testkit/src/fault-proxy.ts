import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/**
 * What a network does to the connections through a proxy. Fields may be set at any time and hold for the bytes that
 * come after; those that concern a whole connection hold for connections opened afterwards.
 */
export interface NetworkFaults {
  /** Bytes arrive this much later, in both directions. */
  latencyMs: number;
  /** The connection is cut once this many bytes went to the client. */
  cutAfterBytes: number | undefined;
  /** Half open, see below, once as many bytes went to the client, or a few more: what arrived together goes together. */
  silentAfterBytes: number | undefined;
  /**
   * Connections stay open and carry nothing, as when the peer vanished: no end, no reset. One that lost a byte this way
   * stays dead when the fault is taken away, for TCP loses nothing out of the middle.
   */
  isHalfOpen: boolean;
  /** Connections are accepted and ended at once, in good order. */
  isClosingAtOnce: boolean;
  /** Bytes go to the client in pieces of this size, one each 10 ms. */
  dripBytes: number | undefined;
}

/** A TCP proxy in front of a server, with the faults of a network. */
export interface FaultProxy {
  readonly port: number;
  readonly faults: NetworkFaults;
  /** Connections accepted since the start. */
  readonly accepted: number;
  /** Connections open now. */
  readonly open: number;
  /** Resets every open connection. */
  reset(): void;
  /** Refuses new connections and resets the open ones, until `restore`. */
  refuse(): Promise<void>;
  /** Takes connections again, on the same port. */
  restore(): Promise<void>;
  close(): Promise<void>;
}

const DRIP_EVERY_MS = 10;

/** Starts a proxy on a free loopback port in front of `targetPort`. */
export async function startFaultProxy(targetPort: number): Promise<FaultProxy> {
  const faults: NetworkFaults = {
    latencyMs: 0,
    cutAfterBytes: undefined,
    silentAfterBytes: undefined,
    isHalfOpen: false,
    isClosingAtOnce: false,
    dripBytes: undefined,
  };
  const sockets = new Set<Socket>();
  let accepted = 0;
  const server = createServer((client) => {
    accepted += 1;
    track(client, sockets);
    if (faults.isClosingAtOnce) client.end();
    else join(client, track(connect(targetPort, "127.0.0.1"), sockets), faults);
  });
  const reset = (): void => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  const port = await listen(server, 0);
  return {
    port,
    faults,
    get accepted() {
      return accepted;
    },
    get open() {
      return sockets.size / 2;
    },
    reset,
    async refuse() {
      const closed = stopListening(server);
      reset();
      await closed;
    },
    async restore() {
      await listen(server, port);
    },
    async close() {
      const closed = stopListening(server);
      reset();
      await closed;
    },
  };
}

function track(socket: Socket, sockets: Set<Socket>): Socket {
  sockets.add(socket);
  socket.setNoDelay(true);
  socket.on("close", () => sockets.delete(socket));
  // A reset is what these connections are for; it ends in "close" all the same.
  socket.on("error", () => {});
  return socket;
}

/** Two sockets that belong together. */
interface Link {
  readonly faults: NetworkFaults;
  isDead: boolean;
}

function join(client: Socket, upstream: Socket, faults: NetworkFaults): void {
  const link: Link = { faults, isDead: false };
  let sent = 0;
  carry(client, upstream, link, (bytes) => upstream.write(bytes));
  carry(upstream, client, link, (bytes) => {
    const room = faults.cutAfterBytes === undefined ? bytes.length : faults.cutAfterBytes - sent;
    sent += bytes.length;
    if (sent >= (faults.silentAfterBytes ?? Number.POSITIVE_INFINITY)) link.isDead = true;
    if (bytes.length < room || faults.cutAfterBytes === undefined) drip(client, bytes, faults.dripBytes);
    else client.write(bytes.subarray(0, Math.max(room, 0)), () => client.resetAndDestroy());
  });
}

function carry(from: Socket, to: Socket, link: Link, deliver: (bytes: Buffer) => void): void {
  from.on("data", (bytes) => later(link, () => to.writable && deliver(bytes)));
  from.on("end", () => later(link, () => to.end()));
  from.on("close", () => later(link, () => to.destroy()));
}

function later(link: Link, act: () => void): void {
  const { faults } = link;
  link.isDead ||= faults.isHalfOpen;
  if (link.isDead) return;
  if (faults.latencyMs === 0) act();
  else setTimeout(() => link.isDead || act(), faults.latencyMs);
}

function drip(client: Socket, bytes: Buffer, size: number | undefined): void {
  if (size === undefined) return void client.write(bytes);
  for (let at = 0, turn = 0; at < bytes.length; at += size, turn += 1) {
    const piece = bytes.subarray(at, at + size);
    setTimeout(() => client.writable && client.write(piece), turn * DRIP_EVERY_MS);
  }
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => {
      server.off("error", reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

function stopListening(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}
