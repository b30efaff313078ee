import type { Json } from "@belay/protocol";

/** Messages that travel together, from one server to all. */
export interface BusFrame {
  /** Who sent it. */
  readonly from: string;
  /** Topics with their messages, in order; the topic as it came. */
  readonly said: readonly (readonly [topic: string, message: Json])[];
}

/**
 * Messages that wait for the wire, within a bound of bytes: while one frame is on its way the next one fills. What does
 * not fit is dropped and counted.
 */
export class FrameQueue {
  readonly #bytesMax: number;
  #texts: string[] = [];
  #bytes = 0;
  #dropped = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get isEmpty(): boolean {
    return this.#texts.length === 0;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get dropped(): number {
    return this.#dropped;
  }

  add(topic: string, message: Json): void {
    const text = JSON.stringify([topic, message]);
    if (this.#bytes + text.length > this.#bytesMax) {
      this.#dropped += 1;
      return;
    }
    this.#texts.push(text);
    this.#bytes += text.length;
  }

  /** All that waits, as the text of one frame; the queue is empty then. */
  take(from: string): string {
    const text = `{"from":${JSON.stringify(from)},"said":[${this.#texts.join(",")}]}`;
    this.#texts = [];
    this.#bytes = 0;
    return text;
  }
}

/** What came over the wire; `undefined` where that is no frame: anybody may write into a shared Redis. */
export function readFrame(text: string): BusFrame | undefined {
  try {
    const frame = JSON.parse(text) as Partial<BusFrame> | null;
    const isFrame = typeof frame?.from === "string" && Array.isArray(frame.said) && frame.said.every(isSaid);
    return isFrame ? (frame as BusFrame) : undefined;
  } catch {
    return undefined;
  }
}

const isSaid = (item: unknown): boolean => Array.isArray(item) && item.length === 2 && typeof item[0] === "string";
