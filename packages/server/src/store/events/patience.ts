import { EngineAway } from "./engine.ts";

/** Asks again for 15 s while the engine is starting anew: a question changes nothing, so it may be put twice. */
export async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  for (const sinceMs = performance.now(); ; ) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof EngineAway) || performance.now() - sinceMs > PATIENCE_MS) throw error;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}

const PATIENCE_MS = 15_000;
const PAUSE_MS = 200;
