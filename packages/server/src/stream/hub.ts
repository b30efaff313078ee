import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Revision } from "@belay/protocol";
import { heartbeatFrame, LAST_CHUNK, retryFrame } from "./frames.ts";

export interface HubLimits {
  /** Streams at once; one more is refused. */
  readonly streamsMax: number;
  /** Bytes a client may leave unread before it is cut; its first snapshot is not counted until it was read. */
  readonly bufferMax: number;
  readonly heartbeatMs: number;
  /** Clients are told to come back after a random time of this range, so that they do not come together. */
  readonly retryMs: { readonly min: number; readonly max: number };
  /** How long a client may take to read the end of its stream when the server stops. */
  readonly closeMs: number;
}

export const HUB_LIMITS: HubLimits = {
  streamsMax: 15_000,
  bufferMax: 1024 * 1024,
  heartbeatMs: 15_000,
  retryMs: { min: 1_000, max: 10_000 },
  closeMs: 1_000,
};

export interface HubOptions {
  readonly random: () => number;
  readonly limits?: Partial<HubLimits>;
}

/** What a stream tells of. */
export interface StreamSource {
  readonly revision: Revision;
  /** Calls `listener` with every frame from now on; returns how to stop. */
  onChange(listener: (frame: Buffer) => void): () => void;
}

interface Stream {
  readonly keyId: string;
  readonly socket: Socket;
  readonly channel: Channel;
  /** Bytes of the first frames that the client has not read yet; they may be more than the cap. */
  allowance: number;
  /** Heartbeats seen with an allowance left: who does not read its first snapshot is cut too. */
  lateBeats: number;
}

/** All streams of one source. */
interface Channel {
  readonly source: StreamSource;
  readonly streams: Set<Stream>;
  readonly unsubscribe: () => void;
  /** What the source told in this step of the event loop. */
  waiting: Buffer[];
  waitingBytes: number;
}

/** More than this is not held back to be written together. */
const TOGETHER_MAX = 64 * 1024;

/**
 * All open streams of a server. Frames are written to the sockets as they are, past the response object: they are
 * already in HTTP chunks, and one write per client is all a change costs, or all changes that were committed together.
 */
export class Hub {
  readonly #limits: HubLimits;
  readonly #random: () => number;
  readonly #streams = new Set<Stream>();
  readonly #channels = new Map<StreamSource, Channel>();
  readonly #heartbeat: NodeJS.Timeout;
  #isClosed = false;
  #slow = 0;
  #refused = 0;

  constructor({ random, limits }: HubOptions) {
    this.#limits = { ...HUB_LIMITS, ...limits };
    this.#random = random;
    this.#heartbeat = setInterval(() => this.#beat(), this.#limits.heartbeatMs).unref();
  }

  get size(): number {
    return this.#streams.size;
  }

  get isFull(): boolean {
    return this.#isClosed || this.#streams.size >= this.#limits.streamsMax;
  }

  /** Since the start: streams cut because their client did not read, and streams there was no place for. */
  get losses(): { readonly slow: number; readonly refused: number } {
    return { slow: this.#slow, refused: this.#refused };
  }

  /** Counts a stream that there was no place for. */
  refuse(): void {
    this.#refused += 1;
  }

  /** A random time to come back after, in ms. */
  retryMs(): number {
    const { min, max } = this.#limits.retryMs;
    return Math.round(min + this.#random() * (max - min));
  }

  /** Opens a stream on a response whose head was sent: first what the client lacks, then every change. */
  open(response: ServerResponse, keyId: string, source: StreamSource, first: readonly Buffer[]): void {
    const { socket } = response;
    if (socket === null || socket.destroyed) return;
    const channel = this.#channels.get(source) ?? this.#listen(source);
    // What the first frames bring already is not to come twice.
    this.#flush(channel);
    const allowance = first.reduce((sum, frame) => sum + frame.length, 0);
    const stream: Stream = { keyId, socket, channel, allowance, lateBeats: 0 };
    this.#streams.add(stream);
    channel.streams.add(stream);
    response.once("close", () => this.#forget(stream));
    socket.setNoDelay(true);
    socket.setTimeout(0);
    socket.on("drain", () => {
      stream.allowance = 0;
    });
    for (const frame of [retryFrame(this.retryMs()), ...first]) socket.write(frame);
    if (socket.writableLength === 0) stream.allowance = 0;
  }

  /** Cuts the streams of a key that was revoked. */
  cut(keyId: string): void {
    for (const stream of [...this.#streams]) if (stream.keyId === keyId) this.#drop(stream);
  }

  /** Ends all streams, each told when to come back; resolves when all are closed, by force if need be. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#heartbeat);
    const closed = [...this.#streams].map(
      ({ socket }) =>
        new Promise<void>((resolve) => {
          socket.once("close", () => resolve());
          socket.write(retryFrame(this.retryMs()));
          socket.end(LAST_CHUNK);
        }),
    );
    const force = setTimeout(() => {
      for (const { socket } of this.#streams) socket.destroy();
    }, this.#limits.closeMs);
    await Promise.all(closed);
    clearTimeout(force);
  }

  #listen(source: StreamSource): Channel {
    const unsubscribe = source.onChange((frame) => this.#tell(channel, frame));
    const channel: Channel = { source, streams: new Set(), unsubscribe, waiting: [], waitingBytes: 0 };
    this.#channels.set(source, channel);
    return channel;
  }

  /** Changes that were committed together are told one right after the other: they go out in one write, a microtask later. */
  #tell(channel: Channel, frame: Buffer): void {
    if (channel.waitingBytes + frame.length > TOGETHER_MAX) this.#flush(channel);
    if (channel.waiting.length === 0) queueMicrotask(() => this.#flush(channel));
    channel.waiting.push(frame);
    channel.waitingBytes += frame.length;
  }

  #flush(channel: Channel): void {
    const { waiting, streams } = channel;
    const [only] = waiting;
    if (only === undefined) return;
    channel.waiting = [];
    channel.waitingBytes = 0;
    const frames = waiting.length === 1 ? only : Buffer.concat(waiting);
    for (const stream of streams) this.#send(stream, frames);
  }

  #send(stream: Stream, frame: Buffer): void {
    const unread = stream.socket.writableLength - stream.allowance + frame.length;
    if (unread > this.#limits.bufferMax) this.#dropSlow(stream);
    else stream.socket.write(frame);
  }

  #beat(): void {
    for (const stream of [...this.#streams]) {
      if (stream.allowance > 0 && ++stream.lateBeats > 2) this.#dropSlow(stream);
      else this.#send(stream, heartbeatFrame(stream.channel.source.revision));
    }
  }

  #dropSlow(stream: Stream): void {
    this.#slow += 1;
    this.#drop(stream);
  }

  #drop(stream: Stream): void {
    this.#forget(stream);
    stream.socket.destroy();
  }

  #forget(stream: Stream): void {
    // A stream that was dropped is closed a moment later.
    if (!this.#streams.delete(stream)) return;
    const { channel } = stream;
    channel.streams.delete(stream);
    if (channel.streams.size > 0 || !this.#channels.delete(channel.source)) return;
    channel.unsubscribe();
  }
}
