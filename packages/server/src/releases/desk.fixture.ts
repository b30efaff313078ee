import { UseBook } from "../access/use-book.ts";
import { type TestServer, testServer } from "../app.fixture.ts";
import type { AppDependencies } from "../app.ts";
import { ExperimentPulse } from "../experiments/pulse.ts";
import { InstanceRegistry } from "../instances/registry.ts";
import { releaseDoors } from "../release-doors.ts";
import { EMPTY_WORKSPACE } from "../state/amend.ts";
import type { ChangeLog } from "../store/changes/index.ts";
import type { EventQuery, EventStore, IncomingBatch } from "../store/events/index.ts";
import type { Notice } from "../webhooks/message.ts";
import type { Send } from "../webhooks/sender.ts";
import { ReleaseDesk } from "./desk.ts";
import { T0 } from "./release.fixture.ts";
import type { ReleaseServiceOptions } from "./service.ts";
import type { ReleaseMessage } from "./teller.ts";

export interface ReleaseServer extends TestServer {
  readonly desk: ReleaseDesk;
  readonly instances: InstanceRegistry;
  readonly messages: ReleaseMessage[];
  readonly pulse: ExperimentPulse;
  /** What experiments' dead-man timers said. */
  readonly notices: Notice[];
  /** What the event store has. */
  readonly batches: IncomingBatch[];
  /** Acknowledges a batch of `production` at the server's time, and has it counted at once. */
  readonly acknowledge: (batch: Partial<IncomingBatch>) => void;
  /** An instance of `production` says which revision it decides with. */
  readonly receive: (instance: string, revision: number) => void;
}

interface ReleaseServerOptions extends Partial<AppDependencies> {
  /** What is asked for events; the batches in memory when absent. */
  readonly events?: Pick<EventStore, "pull" | "ledger">;
  /** What test alerts go out by; none when absent. */
  readonly send?: Send;
  readonly wrapLog?: (log: ChangeLog) => ChangeLog;
  readonly lowerHere?: NonNullable<ReleaseServiceOptions["lowerHere"]>;
  readonly promised?: NonNullable<ReleaseServiceOptions["promised"]>;
  /** Any fault fails the test when absent. */
  readonly onFault?: (error: unknown) => void;
}

/** A whole server with releases on an event store in memory; its ladders are looked at when a test says so. */
export async function releaseServer({
  events,
  wrapLog = (log) => log,
  lowerHere,
  promised,
  onFault,
  send,
  ...options
}: ReleaseServerOptions = {}): Promise<ReleaseServer> {
  const messages: ReleaseMessage[] = [];
  const batches: IncomingBatch[] = [];
  let server: TestServer | undefined;
  let log: ChangeLog | undefined;
  const now = (): number => server?.clock.now ?? T0;
  const instances = new InstanceRegistry(now);
  const desks: ReleaseDesk[] = [];
  const notices: Notice[] = [];
  const pulse = new ExperimentPulse({
    workspace: () => server?.control.workspace ?? EMPTY_WORKSPACE,
    book: new UseBook({ now }),
    now,
    tell: (notice) => void notices.push(notice),
    everyMs: 2 ** 30,
  });
  const fault = (error: unknown): never => {
    throw error;
  };
  server = await testServer({
    ...options,
    instances,
    wrapLog: (opened) => {
      log = wrapLog(opened);
      return log;
    },
    doors: [
      ...(options.doors ?? []),
      (access, control) => {
        const desk = new ReleaseDesk({
          control,
          log: log as ChangeLog,
          events: events ?? eventsIn(batches),
          instances,
          now,
          holder: "test",
          tell: (message) => void messages.push(message),
          onFault: onFault ?? fault,
          everyMs: 2 ** 30,
          ...(lowerHere === undefined ? {} : { lowerHere }),
          ...(promised === undefined ? {} : { promised }),
        });
        desks.push(desk);
        return releaseDoors({
          desk,
          pulse,
          log: log as ChangeLog,
          events: events ?? eventsIn(batches),
          fillRandom: (bytes) => crypto.getRandomValues(bytes),
          now,
          ...(send === undefined ? {} : { send }),
        })(access, control);
      },
    ],
  });
  const [desk] = desks as [ReleaseDesk];
  const place = { project: "default", environment: "production" };
  return {
    ...server,
    desk,
    instances,
    messages,
    pulse,
    notices,
    batches,
    acknowledge: (more) => {
      const batch = { ...place, ...EMPTY, receivedAtMs: now(), ...more };
      batches.push(batch);
      desk.tower.count(batch);
      pulse.count(batch);
    },
    receive: (instance, revision) => instances.note(place, { instance, sdk: "test/1", revision }),
    close: async () => {
      pulse.close();
      await desk.close();
      await server.close();
    },
  };
}

const EMPTY = {
  instance: "i",
  sdk: "test/1",
  batchId: "b",
  clockOffsetMs: 0,
  exposures: [],
  attributes: [],
  metrics: [],
  properties: [],
  counts: [],
  ledger: [],
} as const;

/** What a watch is rebuilt from, in memory. */
export function eventsIn(batches: readonly IncomingBatch[]): Pick<EventStore, "pull" | "ledger"> {
  return {
    ledger: async () => [],
    pull: async (query) => ({ rows: 0, lagMs: 0, pages: pagesOf(batches, query) }),
  };
}

async function* pagesOf(batches: readonly IncomingBatch[], query: EventQuery): AsyncGenerator<Uint8Array> {
  for (const { exposures, metrics, receivedAtMs } of batches) {
    const events = query.kind === "exposures" ? exposures : metrics.filter(({ name }) => name === query.name);
    const received_at = new Date(receivedAtMs).toISOString();
    const lines = events.map((event) => `${JSON.stringify({ ...event, received_at })}\n`);
    if (lines.length > 0) yield Buffer.from(lines.join(""));
  }
}
