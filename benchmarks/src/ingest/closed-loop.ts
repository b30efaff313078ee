import { type ServerProcess, startServer } from "@belay/testkit";
import { connectControl } from "../control.ts";
import { readOn } from "./readers.ts";
import { makeBodies, PLAIN_SUBJECT, Sender } from "./sender.ts";

const SECONDS = 3;
/** Batches made ahead for each connection; the clock stops when they run out. */
const BATCHES_AHEAD = 600;

export interface Load {
  readonly size: number;
  readonly connections: number;
  readonly isRead: boolean;
  readonly isGzip: boolean;
}

export interface Taken {
  /** Events acknowledged a second. */
  readonly rate: number;
  readonly latenciesMs: readonly number[];
}

/** How much a new server takes from connections each of which sends its next batch when the last one is acknowledged. */
export async function takeClosed({ size, connections, isRead, isGzip }: Load): Promise<Taken> {
  const server = await startServer();
  const { sdkKey } = await connectControl(server);
  const batches = Math.ceil(BATCHES_AHEAD / Math.sqrt(connections));
  const queues = Array.from({ length: connections }, (_, at) =>
    makeBodies({ subject: PLAIN_SUBJECT, instance: `benchmark-${at}`, size, batches, isGzip }),
  );
  const sender = new Sender({ url: server.url, sdkKey, connections, isGzip });
  const reading = new AbortController();
  const readers = isRead ? readEverything(server, reading.signal) : [];
  const latenciesMs: number[] = [];
  let accepted = 0;
  const startedAt = performance.now();
  const until = startedAt + SECONDS * 1_000;
  await Promise.all(
    queues.map(async (queue) => {
      for (const body of queue) {
        if (performance.now() > until) return;
        const sentAt = performance.now();
        const stored = await sender.send(body);
        // Not `accepted += await ...`: that reads the sum before the wait, and the other connections' share is lost.
        accepted += stored;
        latenciesMs.push(performance.now() - sentAt);
      }
    }),
  );
  const rate = (1_000 * accepted) / (performance.now() - startedAt);
  reading.abort();
  await Promise.all(readers);
  sender.close();
  await server.stop();
  return { rate, latenciesMs };
}

/** Two readers count and pull what is there, as fast as it comes. */
function readEverything(server: ServerProcess, signal: AbortSignal): Promise<unknown>[] {
  return [1, 2].map(() => readOn(server, ["exposures/estimate?variant=control", "exposures?format=csv"], signal));
}
