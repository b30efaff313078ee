// One application process: decides two flags for each visitor and reports the orders that failed, as any service would.
import { createClient } from "@belay/sdk-node";
import { seeded } from "@belay/testkit";
import { FLAGS } from "./flags.ts";
import { emptyReport } from "./report.ts";

/** What the story tells a shop to do. */
export interface Task {
  readonly url: string;
  readonly sdkKey: string;
  /** Which of the shops it is: names its visitors and seeds their luck. */
  readonly part: number;
  readonly visitorsPerSecond: number;
}

const TURN_MS = 20;
const REPORT_MS = 100;
/** Of 100 orders one fails anyway; with the new checkout it is five. */
const BASE_RATE = 0.01;
const BROKEN_RATE = 0.05;

process.once("message", (task: Task) => {
  trade(task).catch((error: unknown) => {
    console.error(error);
    process.exit(1);
  });
});

/** Serves visitors until it hears again from the story: that is its end. */
async function trade({ url, sdkKey, part, visitorsPerSecond }: Task): Promise<void> {
  const belay = createClient({ url, sdkKey, flushIntervalMs: 50 });
  const state = await belay.ready({ timeoutMs: 20_000 });
  if (state !== "live") throw new Error(`The SDK did not get its rules; it is ${state}.`);

  const luck = seeded(part);
  let visitors = 0;
  let report = emptyReport(part);
  const startedAt = performance.now();
  const serving = setInterval(() => {
    // By the clock, not by the turn: a machine that is busy serves late, not fewer.
    const due = ((performance.now() - startedAt) / 1_000) * visitorsPerSecond;
    while (visitors < due) serve(`visitor-${part}-${visitors++}`);
  }, TURN_MS);
  const reporting = setInterval(() => {
    process.send?.(report);
    report = emptyReport(part);
  }, REPORT_MS);

  process.once("message", async () => {
    clearInterval(serving);
    clearInterval(reporting);
    await belay.close();
    process.disconnect();
  });

  function serve(targetingKey: string): void {
    report.visitors += 1;
    for (const flag of FLAGS) {
      const isTreated = belay.isEnabled(flag, { targetingKey });
      if (isTreated) report.treated[flag] += 1;
      const rate = isTreated && flag === "checkout" ? BROKEN_RATE : BASE_RATE;
      if (luck.fraction() < rate) belay.track(`${flag}-failed`, { targetingKey });
    }
  }
}
