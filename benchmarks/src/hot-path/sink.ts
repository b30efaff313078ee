import { Worker } from "node:worker_threads";
import type { FromSink, SinkPlan, ToSink } from "./sink-worker.ts";

/** A stubbed backend on 127.0.0.1, in a thread of its own so that its work is not counted as the SDK's. */
export interface Sink {
  readonly url: string;
  /** Exposures posted so far, as the plan counts them. */
  exposures(): Promise<number>;
  /** Replaces what a GET of the path is answered with. */
  answer(path: string, body: string): void;
  /** Writes to every open stream. */
  push(text: string): void;
  close(): Promise<void>;
}

/** Starts a sink; resolves when it listens. */
export async function startSink(plan: SinkPlan): Promise<Sink> {
  const worker = new Worker(new URL("./sink-worker.js", import.meta.url), { workerData: plan });
  const tell = (message: ToSink): void => worker.postMessage(message);
  const listening = await next(worker, "listening");
  worker.unref();
  return {
    url: `http://127.0.0.1:${listening.port}`,
    async exposures() {
      tell({ kind: "count" });
      return (await next(worker, "counted")).exposures;
    },
    answer: (path, body) => tell({ kind: "answer", path, body }),
    push: (text) => tell({ kind: "push", text }),
    async close() {
      await worker.terminate();
    },
  };
}

function next<Kind extends FromSink["kind"]>(worker: Worker, kind: Kind): Promise<Extract<FromSink, { kind: Kind }>> {
  worker.ref();
  return new Promise((resolve, reject) => {
    const hear = (message: FromSink): void => {
      if (message.kind !== kind) return;
      worker.off("message", hear);
      worker.off("error", reject);
      worker.unref();
      resolve(message as Extract<FromSink, { kind: Kind }>);
    };
    worker.on("message", hear);
    worker.on("error", reject);
  });
}
