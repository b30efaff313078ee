/*
 * Every event of a page from the moment it is made until somebody answers for it:
 *
 *     produced ──▶ waiting ──▶ sent, as often as it takes ──▶ stored
 *         └── no room ─────────────────┴──▶ dropped           produced = stored + dropped + queued, exact to one
 *
 * What was cut into a batch stays in it under one id, so that whatever is sent twice counts once. A page may go away at
 * any moment: a batch is small enough to outlive it, and carries the key in its body. What leaves with the page is packed,
 * so that 300 events fit into what a browser lets outlive it.
 */
import { PACKED_TYPE, pack } from "@belay/core";
import type { Tracked } from "@belay/core/compact";
import type { BatchReceipt, EventBatch, Exposure, FlagKey, MetricEvent } from "@belay/protocol";
import { backoffMs, patientMs } from "./backoff.ts";
import type { Ask, Trouble } from "./door.ts";

/** How the events of this page stand. */
export interface DeliveryReport {
  readonly produced: number;
  readonly stored: number;
  readonly dropped: number;
  /** Not answered for yet. */
  readonly queued: number;
}

type Numbered = "seq" | "timeMs" | "experiment" | "release";
type Optional<T> = { readonly [Name in keyof T]: T[Name] | undefined };

export interface Outbox {
  /** What is `undefined` in an event is absent from what is sent. */
  expose(arm: Tracked["arm"], exposure: Optional<Omit<Exposure, keyof Tracked["arm"] | Numbered>>): void;
  /** An evaluation; told when events are flushed or the page hides. */
  count(flag: FlagKey, variant: string | undefined): void;
  record(metric: Optional<Omit<MetricEvent, Numbered>>): void;
  report(): DeliveryReport;
  /** Sends everything; resolves when all of it is answered for, or after `timeoutMs`. */
  flush(timeoutMs: number): Promise<void>;
  /** The page may be gone in a moment: everything leaves now, also what is under way and may die with the page. */
  leave(): void;
  close(): void;
}

interface Entry {
  readonly list: "exposures" | "metrics" | "counts";
  readonly event: object;
  readonly size: number;
  readonly arm: Arm | undefined;
  batchId?: string | undefined;
}

interface Arm {
  readonly experiment?: string;
  readonly release?: string;
  readonly variant: string;
  produced: number;
  dropped: number;
}

const WAITING_MAX = 10_000;
const EVENT_BYTES_MAX = 20_000;
/** Of the events in a batch; with its head and the arms' totals a request stays below 60 KiB. */
const BATCH_BYTES = 40_000;
/** A browser lets requests of 64 KiB, all together, outlive a page. */
const OUTLIVING_BYTES = 60_000;
/** Characters of a text inside an event; no unit is longer, a cut one would be somebody else. */
const TEXT_MAX = 1_024;
const ANSWER_MS = 10_000;
const FLUSH_EVENTS = 100;
const FLUSH_MS = 1_000;

/** Sees the events of a page off, also those of its last moment. */
export function outboxOf(
  ask: Ask,
  sender: Pick<EventBatch, "sdk" | "instance" | "sdkKey">,
  warn: (message: string) => void,
): Outbox {
  const counts = new Map<string, { readonly flag: FlagKey; readonly variant: string | undefined; count: number }>();
  const arms = new Map<string, Arm>();
  let waiting: Entry[] = [];
  let batchBytes = BATCH_BYTES;
  let seq = 0;
  let batches = 0;
  let failures = 0;
  let isSending = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const settled: (() => void)[] = [];
  let produced = 0;
  let stored = 0;
  let dropped = 0;

  const drop = (arm: Arm | undefined, why: string): void => {
    dropped++;
    if (arm) arm.dropped++;
    warn(`events dropped: ${why}`);
  };

  /** Copied as plain bounded JSON: what an application does to it later, or what it hides, is not sent. */
  const enter = (list: Entry["list"], event: object, arm?: Arm): boolean => {
    const text = JSON.stringify(event, sendable);
    const size = new TextEncoder().encode(text).length;
    const fits = waiting.length < WAITING_MAX && size <= EVENT_BYTES_MAX;
    if (fits) waiting.push({ list, event: JSON.parse(text), size, arm });
    return fits;
  };

  const enterCounts = (): void => {
    for (const count of counts.values()) enter("counts", count);
    counts.clear();
  };

  /** Cuts those that are in no batch yet into one, as many as fit; its id, or `undefined` where there are none. */
  const cut = (): string | undefined => {
    let batchId: string | undefined;
    let size = 0;
    for (const entry of waiting) {
      if (entry.batchId) continue;
      size += entry.size;
      if (batchId && size > batchBytes) break;
      batchId ??= `${sender.instance}-${++batches}`;
      entry.batchId = batchId;
    }
    return batchId;
  };

  const entriesOf = (batchId: string): Entry[] => waiting.filter((entry) => entry.batchId === batchId);

  /** The events leave the queue: somebody has answered for them, or nobody ever will. */
  const settle = (batchId: string): Entry[] => {
    const entries = entriesOf(batchId);
    waiting = waiting.filter((entry) => entry.batchId !== batchId);
    return entries;
  };

  const bodyOf = (batchId: string): string => {
    const lists: Record<Entry["list"], object[]> = { exposures: [], metrics: [], counts: [] };
    for (const { list, event } of entriesOf(batchId)) lists[list].push(event);
    return JSON.stringify({ ...sender, batchId, sentAtMs: Date.now(), ...lists, ledger: [...arms.values()] });
  };

  const send = async (batchId: string, body: string | Blob, keepalive: boolean): Promise<void> => {
    try {
      const response = await ask("events", { method: "POST", body, keepalive, signal: AbortSignal.timeout(ANSWER_MS) });
      const { rejected } = (await response.json()) as BatchReceipt;
      // Whose events they were the server knows: it refused them.
      const refused = rejected.filter(isEvent).length;
      stored += settle(batchId).filter(isEvent).length - refused;
      dropped += refused;
      failures = 0;
    } catch (trouble) {
      failed(batchId, trouble as Trouble);
    }
  };

  const failed = (batchId: string, { message, status = 0, retryAfterMs }: Trouble): void => {
    const entries = entriesOf(batchId);
    const isTooLarge = status === 413;
    if (isTooLarge && entries.length > 1) {
      batchBytes /= 2;
      for (const entry of entries) entry.batchId = undefined;
    } else if (isTooLarge || (failures > 1 && [400, 415, 422].includes(status))) {
      for (const entry of settle(batchId)) if (isEvent(entry)) drop(entry.arm, message);
    } else {
      warn(`events wait: ${message}`);
      later(retryAfterMs ? patientMs(retryAfterMs) : backoffMs(failures++, [401, 403, 404].includes(status), 0));
    }
  };

  const later = (ms: number): void => {
    timer ??= setTimeout(pumpNow, ms);
  };

  const pumpNow = (): void => {
    clearTimeout(timer);
    timer = undefined;
    void pump();
  };

  /** One batch at a time, in order. */
  const pump = async (): Promise<void> => {
    if (isSending || timer !== undefined) return;
    const batchId = waiting[0]?.batchId ?? cut();
    if (!batchId) {
      for (const resolve of settled.splice(0)) resolve();
      return;
    }
    isSending = true;
    await send(batchId, bodyOf(batchId), false);
    isSending = false;
    void pump();
  };

  const add = (list: Entry["list"], unnumbered: object, arm?: Arm): void => {
    produced++;
    if (arm) arm.produced++;
    try {
      // A number is given only to what is kept: a gap in them is a loss on the way.
      if (!enter(list, { seq: seq + 1, timeMs: Date.now(), ...unnumbered }, arm)) throw new Error("over a limit");
    } catch (error) {
      drop(arm, (error as Error).message);
      return;
    }
    seq++;
    if (waiting.length >= FLUSH_EVENTS && failures === 0) pumpNow();
    else later(FLUSH_MS);
  };

  const armOf = ({ epoch: _, differs: __, ...name }: Tracked["arm"]): Arm => {
    const key = JSON.stringify(name);
    const arm = arms.get(key) ?? { ...name, produced: 0, dropped: 0 };
    arms.set(key, arm);
    return arm;
  };

  return {
    expose: (arm, exposure) => add("exposures", { epoch: 0, ...arm, ...exposure }, armOf(arm)),
    count: (flag, variant) => {
      const id = `${variant}/${flag}`;
      const known = counts.get(id) ?? { flag, variant, count: 0 };
      known.count++;
      counts.set(id, known);
    },
    record: (metric) => add("metrics", metric),
    report: () => ({ produced, stored, dropped, queued: waiting.filter(isEvent).length }),
    flush: (timeoutMs) =>
      new Promise((resolve) => {
        enterCounts();
        settled.push(resolve);
        setTimeout(resolve, timeoutMs);
        pumpNow();
      }),
    leave: () => {
      enterCounts();
      while (cut());
      let size = 0;
      for (const batchId of new Set(waiting.map((entry) => entry.batchId as string))) {
        const body = new Blob([pack(bodyOf(batchId))], { type: PACKED_TYPE });
        size += body.size;
        void send(batchId, body, size <= OUTLIVING_BYTES);
      }
    },
    close: () => clearTimeout(timer),
  };
}

/** Long texts are cut, and what JSON has no form for is left out. */
function sendable(_: string, value: unknown): unknown {
  return typeof value === "string" ? value.slice(0, TEXT_MAX) : typeof value === "bigint" ? undefined : value;
}

function isEvent({ list }: { readonly list: string }): boolean {
  return list !== "counts";
}
