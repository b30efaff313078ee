import { setTimeout as sleep } from "node:timers/promises";
import { createClient } from "@belay/sdk-node";
import type { Admin } from "@belay/testkit";
import type { Proof } from "./proofs.ts";

/** What was seen while a percentage went up and down. */
export interface RampSeen {
  /** Changes that the SDK had decided by before the REST answer was read. */
  readonly beforeAnswer: number;
  /** From the REST answer to the SDK deciding differently, of the other changes. */
  readonly afterAnswerMs: readonly number[];
  /** From sending the REST request to the SDK deciding differently. */
  readonly afterSendingMs: readonly number[];
  /** Units of the panel that a raise took out or a lowering put in. */
  readonly movedWrongly: number;
  /** Changes that did not reach the SDK in time. */
  readonly unseen: number;
}

const PERCENTAGES = [10, 50, 90, 25, 75, 5];
const PANEL = Array.from({ length: 1_000 }, (_, index) => `panel-${index}`);
const SEEN_WITHIN_MS = 5_000;
const PAUSE_MS = 25;
const CHANGES_AT_LEAST = 60;

/**
 * Moves the percentage of `flag` up and down over REST until `signal` says enough (and at least 60 times), and watches
 * a panel of 1,000 units through an SDK of its own.
 */
export async function rampUpAndDown(
  admin: Admin,
  sdkKey: string,
  flag: string,
  path: string,
  signal: AbortSignal,
): Promise<RampSeen> {
  const belay = createClient({ url: admin.url, sdkKey, flushIntervalMs: 10_000 });
  await belay.ready({ timeoutMs: 10_000 });
  const who = (): Set<string> => new Set(PANEL.filter((unit) => belay.isEnabled(flag, { targetingKey: unit })));

  const afterAnswerMs: number[] = [];
  const afterSendingMs: number[] = [];
  let movedWrongly = 0;
  let unseen = 0;
  let percentage = 0;
  let enabled = who();

  for (let step = 0; step < CHANGES_AT_LEAST || !signal.aborted; step += 1) {
    const next = PERCENTAGES[step % PERCENTAGES.length] as number;
    const decided = decidesDifferently(enabled.size);
    const sentAt = performance.now();
    await admin.send("PUT", `${path}/rollout`, { percentage: next, reason: "the demo's ramp" });
    const answeredAt = performance.now();
    const decidedAt = await decided;
    if (decidedAt === undefined) unseen += 1;
    else {
      if (decidedAt >= answeredAt) afterAnswerMs.push(decidedAt - answeredAt);
      afterSendingMs.push(decidedAt - sentAt);
    }
    const now = who();
    const [smaller, larger] = next > percentage ? [enabled, now] : [now, enabled];
    movedWrongly += [...smaller].filter((unit) => !larger.has(unit)).length;
    percentage = next;
    enabled = now;
    await sleep(PAUSE_MS);
  }
  await belay.close();
  const beforeAnswer = afterSendingMs.length - afterAnswerMs.length;
  return { beforeAnswer, afterAnswerMs, afterSendingMs, movedWrongly, unseen };

  /** When the panel's count is another one; absent when it never was in time. */
  function decidesDifferently(before: number): Promise<number | undefined> {
    return new Promise((resolve) => {
      const end = (at: number | undefined): void => {
        stop();
        clearTimeout(timer);
        resolve(at);
      };
      const timer = setTimeout(() => end(undefined), SEEN_WITHIN_MS);
      const stop = belay.on("change", () => {
        if (who().size !== before) end(performance.now());
      });
    });
  }
}

/** Raising took nobody out, lowering put nobody in, and the SDK heard of every change. */
export function provesRamp({ movedWrongly, unseen, afterSendingMs }: RampSeen): Proof {
  return {
    claim: "raising moves nobody out, lowering nobody in",
    holds: movedWrongly === 0 && unseen === 0 && afterSendingMs.length >= CHANGES_AT_LEAST,
    found: `${afterSendingMs.length} changes, ${PANEL.length} units watched, ${movedWrongly} moved wrongly, ${unseen} changes not seen`,
  };
}
