/*
 * Exposures of evaluations made here for others. A client that asks for one flag meets it, and the server is the only one
 * who knows of what experiment; so the server is an instance like any SDK: the same ledger, numbers, batches and intake.
 *
 *     evaluate one flag ──▶ Ledger ──▶ Delivery ──▶ intake ──▶ event store
 *                      once a unit     retried      as any batch
 */
import { randomUUID } from "node:crypto";
import type { Outcome } from "@belay/core";
import { DELIVERY_SETTINGS, Delivery, LEDGER_LIMITS, Ledger, type PostResult } from "@belay/core/client";
import type { EpochMs, EvaluationContext, FlagKey } from "@belay/protocol";
import type { Intake } from "../exposures/intake.ts";
import { ProblemError, renderProblem } from "../http/problem.ts";
import type { FeedId } from "../snapshots/feeds.ts";
import type { FlagSet } from "./flag-set.ts";

export interface RecorderOptions {
  readonly id: FeedId;
  readonly flags: FlagSet;
  readonly intake: Intake;
  readonly now: () => EpochMs;
  readonly random: () => number;
  /** What could not be stored, in words. */
  readonly onFault: (detail: string) => void;
}

const SENDER = "ofrep/0.1.0";
/** What a killed server can lose; the store is at hand, so waiting longer for a fuller batch buys little. */
const FLUSH_INTERVAL_MS = 100;
const CLOSE_DEADLINE_MS = 2_000;

/** Records what single evaluations of one feed met, once a unit, experiment, variant and epoch. */
export class Recorder {
  readonly #ledger: Ledger;
  readonly #delivery: Delivery;
  readonly #flags: FlagSet;

  constructor({ id, flags, intake, now, random, onFault }: RecorderOptions) {
    this.#flags = flags;
    this.#ledger = new Ledger(LEDGER_LIMITS, {
      isOffline: false,
      now,
      // A remote client's context may hold anything about a person; what is kept of it is the unit.
      attributes: () => undefined,
      differs: (key, outcome, context) => this.#flags.differs(key, outcome, context),
      queued: () => this.#delivery.queued(),
      exposed: () => {},
      dropped: (reason, count) => onFault(`${count} exposures were dropped: ${reason}`),
    });
    const settings = { ...DELIVERY_SETTINGS, flushIntervalMs: FLUSH_INTERVAL_MS };
    const platform = {
      clock: { now, monotonic: () => performance.now() },
      timers: { set: setUnreferencedTimer },
      random,
      transport: { post: (_: string, body: string, done: (result: PostResult) => void) => post(intake, id, body, done) },
    };
    this.#delivery = new Delivery(platform, settings, this.#ledger, {
      sdk: SENDER,
      instance: randomUUID(),
      collectCounts: () => this.#ledger.count(this.#flags.takeCounts()),
      failed: onFault,
    });
    this.#delivery.start();
  }

  /** Notes that somebody met this outcome. */
  note(key: FlagKey, outcome: Outcome, context: EvaluationContext): void {
    if (outcome.tracks === undefined) return;
    this.#ledger.note(key, outcome, outcome.tracks, context, this.#flags.revision);
  }

  /** Hands over what is waiting, and takes no more. */
  close(): Promise<void> {
    return this.#delivery.close(CLOSE_DEADLINE_MS);
  }
}

function setUnreferencedTimer(callback: () => void, afterMs: number): () => void {
  const timer = setTimeout(callback, afterMs).unref();
  return () => clearTimeout(timer);
}

/** Sends a batch to the intake of this very server. Calls back at most once, never within the call. */
function post(intake: Intake, id: FeedId, body: string, done: (result: PostResult) => void): () => void {
  let isStopped = false;
  const tell = (result: PostResult): void => {
    if (!isStopped) done(result);
  };
  void intake.take(JSON.parse(body), id).then(
    (receipt) => tell({ kind: "answered", status: 202, text: JSON.stringify(receipt) }),
    (error: unknown) => tell(refused(error)),
  );
  return () => {
    isStopped = true;
  };
}

function refused(error: unknown): PostResult {
  if (!(error instanceof ProblemError)) return { kind: "failed", detail: error instanceof Error ? error.message : String(error) };
  const problem = renderProblem(error.code, error.data, "none");
  return { kind: "answered", status: problem.status, text: JSON.stringify(problem) };
}
