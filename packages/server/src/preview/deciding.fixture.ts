import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { EvaluationErrorCode, FlagKey, Json, Reason, Snapshot } from "@belay/protocol";

/** What is decided, for how many units, from which countries: the first, the second, and so on around. */
export interface Question {
  readonly snapshot: Snapshot;
  readonly units: number;
  readonly countries: readonly string[];
}

/** What core gave a unit. */
export interface Given {
  readonly value: Json | undefined;
  readonly variant: string | undefined;
  readonly reason: Reason;
  readonly rule: string | undefined;
  readonly errorCode: EvaluationErrorCode | undefined;
  readonly experiment: string | undefined;
}

/** Units that were given the one before and are given the other now. */
export interface Flow {
  readonly from: Given;
  readonly to: Given;
  readonly units: number;
}

/** Units that are really decided: see `deciding-worker.fixture.mjs`. */
export interface Deciding {
  /** Decides a flag for all units, and says who went where since the last snapshot; nothing at the first one. */
  readonly next: (question: Question) => Promise<readonly Flow[]>;
  readonly close: () => Promise<unknown>;
}

/** @param units how many there are at most: 80 bytes each. */
export function startDeciding(flag: FlagKey, units: number): Deciding {
  const worker = new Worker(new URL("deciding-worker.fixture.mjs", import.meta.url), {
    workerData: { flag, units },
    execArgv: [],
  });
  // Heard from the start: a thread that falls between two questions, for core is not built, must not leave the next one waiting.
  const fallen = new Promise<never>((_, reject) => {
    worker.once("error", reject);
    worker.once("exit", (code) => reject(new Error(`the deciding thread ended, with ${code}`)));
  });
  fallen.catch(() => {});
  return {
    next: async (question) => {
      worker.postMessage(question);
      const [flows] = (await Promise.race([once(worker, "message"), fallen])) as [readonly Flow[]];
      return flows;
    },
    close: () => worker.terminate(),
  };
}
