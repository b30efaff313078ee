import type { Exposure, MetricEvent } from "@belay/protocol";
import { tempDir } from "@belay/testkit";
import { type TestServer, testServer } from "./app.fixture.ts";
import type { AppDependencies } from "./app.ts";
import { eventDoors } from "./exposures/routes.ts";
import { recordDoors } from "./record-doors.ts";
import { batchOf } from "./store/events/events.fixture.ts";
import { type ClickHouseOptions, type EventStore, openEventStore } from "./store/events/index.ts";

/** A whole server that keeps events too. */
export interface RecordingServer extends TestServer {
  readonly events: EventStore;
  /** Takes events in as one batch of production; the instance's numbers are given here. */
  readonly receive: (batch: Received) => Promise<void>;
}

export interface Received {
  readonly exposures?: readonly Omit<Exposure, "seq">[];
  readonly metrics?: readonly Omit<MetricEvent, "seq">[];
  /** The server's clock when absent. */
  readonly atMs?: number;
  readonly environment?: string;
}

/** 2026-11-22T12:00:00Z, the server's clock at its start. */
export const NOON = Date.UTC(2026, 10, 22, 12);

export interface RecordingOptions {
  /** Events go there instead of into DuckDB. */
  readonly clickHouse?: ClickHouseOptions;
  readonly fillRandom?: AppDependencies["fillRandom"];
}

/** A server on folders of its own, its store in this process. Its clock stands until a test turns it. */
export async function recordingServer({ clickHouse, fillRandom }: RecordingOptions = {}): Promise<RecordingServer> {
  const folder = await tempDir("recording");
  // The clock is the server's own once there is one.
  let server: TestServer | undefined;
  const now = (): number => server?.clock.now ?? NOON;
  const events = await openEventStore({
    directory: folder.path,
    database: "here",
    segmentAgeMs: 50,
    ...(clickHouse === undefined ? {} : { clickHouse }),
  });
  server = await testServer({
    ...(fillRandom === undefined ? {} : { fillRandom }),
    doors: [(access) => eventDoors({ access, events, hasEnvironment: () => true, now }), recordDoors({ events, now })],
  });
  const { close, ...rest } = server;
  let seq = 0;
  let batches = 0;
  const receive = async ({ exposures = [], metrics = [], atMs = now(), environment = "production" }: Received): Promise<void> => {
    const numbered = <T>(items: readonly T[]): (T & { seq: number })[] =>
      items.map((item) => {
        seq += 1;
        return { ...item, seq };
      });
    batches += 1;
    await events.append(
      batchOf({
        environment,
        batchId: `batch-${batches}`,
        receivedAtMs: atMs,
        exposures: numbered(exposures),
        metrics: numbered(metrics),
      }),
    );
  };
  return {
    ...rest,
    events,
    receive,
    close: async () => {
      await close();
      await events.close();
      await folder.remove();
    },
  };
}
