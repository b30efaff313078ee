/*
 * Carries what a relay acknowledged to its upstream: segment by segment, request by request, each frame as the batch its
 * instance sent. How far it came is kept on the disk, so that a relay that was killed repeats one request and no more; that
 * one is known to the upstream by its instances and numbers.
 */
import { readFile } from "node:fs/promises";
import type { RelayedBatch } from "@belay/protocol";
import { EngineAway, type LoadableSegment } from "../store/events/engine.ts";
import type { BatchFrame } from "../store/events/spool/batch-frame.ts";
import { scanFrames } from "../store/events/spool/frame.ts";
import { readSummed, writeSummed } from "../store/summed-file.ts";
import { relayedBatch } from "./relayed-batch.ts";
import type { Upstream } from "./upstream.ts";

export interface ForwarderOptions {
  readonly upstream: Pick<Upstream, "send">;
  /** Where it keeps how far it came. */
  readonly file: string;
  readonly now: () => number;
}

/** Frames of one segment that were forwarded; all of the segments before it were. */
interface Progress {
  readonly spool: string;
  readonly segment: number;
  readonly frames: number;
}

/** What one request takes: the upstream reads bodies of 20 MiB, and a frame by rows is longer than by columns. */
const REQUEST_BYTES = 1_048_576;
const REQUEST_FRAMES = 1_000;
/** Batches of one instance in one request: the upstream knows the last 16 with counts again, should the request be repeated. */
const FRAMES_OF_INSTANCE = 8;

export class Forwarder {
  readonly #options: ForwarderOptions;
  readonly #leave = new AbortController();
  #progress: Progress | undefined;
  #forwarded = 0;

  private constructor(options: ForwarderOptions, progress: Progress | undefined) {
    this.#options = options;
    this.#progress = progress;
  }

  static async open(options: ForwarderOptions): Promise<Forwarder> {
    return new Forwarder(options, (await readSummed(options.file)) as Progress | undefined);
  }

  /** Batches the upstream acknowledged, since the start. */
  get forwarded(): number {
    return this.#forwarded;
  }

  /** Forwards segments of one spool. @throws EngineAway while the upstream does not take them */
  async load(segments: readonly LoadableSegment[]): Promise<void> {
    for (const segment of segments) await this.#forward(segment);
  }

  close(): void {
    this.#leave.abort();
  }

  async #forward({ spool, number, path }: LoadableSegment): Promise<void> {
    const done = this.#progress;
    const isOwn = done?.spool === spool;
    if (isOwn && done.segment > number) return;
    let at = isOwn && done.segment === number ? done.frames : 0;
    const payloads = scanFrames(await readFile(path)).payloads.slice(at);
    for (const frames of requestsOf(payloads)) {
      await this.#send(frames.map((frame) => relayedBatch(frame, this.#options.now())));
      at += frames.length;
      this.#forwarded += frames.length;
      this.#progress = { spool, segment: number, frames: at };
      await writeSummed(this.#options.file, this.#progress);
    }
  }

  async #send(batches: readonly RelayedBatch[]): Promise<void> {
    const problem = await this.#options.upstream.send("events", { batches }, this.#leave.signal);
    if (problem !== undefined) throw new EngineAway(problem);
  }
}

/** Frames in the order they came, as many to a request as it takes. */
export function* requestsOf(payloads: readonly Uint8Array[]): Generator<readonly BatchFrame[]> {
  let request: BatchFrame[] = [];
  let bytes = 0;
  let ofInstance = new Map<string, number>();
  for (const payload of payloads) {
    const frame = JSON.parse(Buffer.from(payload).toString()) as BatchFrame;
    const sent = ofInstance.get(frame.instance) ?? 0;
    const isFull = bytes + payload.length > REQUEST_BYTES || request.length >= REQUEST_FRAMES || sent >= FRAMES_OF_INSTANCE;
    if (isFull && request.length > 0) {
      yield request;
      [request, bytes, ofInstance] = [[], 0, new Map()];
    }
    request.push(frame);
    bytes += payload.length;
    ofInstance.set(frame.instance, (ofInstance.get(frame.instance) ?? 0) + 1);
  }
  if (request.length > 0) yield request;
}
