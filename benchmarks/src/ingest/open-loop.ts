/*
 * Acknowledgements at a fixed rate of arrivals. Batches are due by a clock that waits for nobody, and the time of each is counted
 * from when it was due: a server that stalls is charged for everything that would have been sent meanwhile. A closed loop is
 * not: whoever waits for an answer before sending the next batch sends least while the server is slowest.
 */
import { setTimeout as pause } from "node:timers/promises";

export interface Arrivals {
  /** Batches, in the order in which they are due. */
  readonly bodies: readonly Buffer[];
  /** Batches a second. */
  readonly perSecond: number;
  /** The first of them that are not counted. */
  readonly warmup: number;
}

/** Milliseconds from when each batch was due until it was acknowledged, and how late the sender itself was at most. */
export async function offer(send: (body: Buffer) => Promise<unknown>, { bodies, perSecond, warmup }: Arrivals): Promise<Offered> {
  const latenciesMs: number[] = [];
  const answers: Promise<void>[] = [];
  let senderLateMs = 0;
  const startedAt = performance.now();
  for (const [index, body] of bodies.entries()) {
    const dueAt = startedAt + (index * 1_000) / perSecond;
    while (performance.now() < dueAt) await pause(Math.max(0, dueAt - performance.now()));
    if (index >= warmup) senderLateMs = Math.max(senderLateMs, performance.now() - dueAt);
    answers.push(
      send(body).then(() => {
        if (index >= warmup) latenciesMs.push(performance.now() - dueAt);
      }),
    );
  }
  await Promise.all(answers);
  return { latenciesMs, senderLateMs };
}

export interface Offered {
  readonly latenciesMs: readonly number[];
  /** What of the times may be the sender's own: it shares the processors. */
  readonly senderLateMs: number;
}
