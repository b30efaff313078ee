/*
 * A client for the tests of an application: flags that serve what the test says, and what was recorded to look at. It is
 * the real client before a server that lives in memory, so exposures, types, reasons and refusals are the real ones; no
 * network, no timers, and the same outcome every time.
 */
import {
  Application,
  Client,
  type ClientSettings,
  DELIVERY_SETTINGS,
  type EventSpool,
  type Hear,
  LEDGER_LIMITS,
  type Logger,
  type NumberedEvent,
  type Platform,
  SYNC_TIMINGS,
} from "@belay/core/client";
import type { Exposure, Json, MetricEvent, Snapshot, SnapshotFlag } from "@belay/protocol";
import type { BelayClient, FlagName, FlagValue } from "./flag-types.ts";
import { SDK } from "./version.ts";

/** Values by key. A key that is not there is a flag that does not exist; so is one that is `undefined`. */
export type FixedFlags = { readonly [Name in FlagName]?: FlagValue<Name> | undefined };

export interface TestClientOptions {
  /** What each flag serves to everybody. */
  readonly flags?: FixedFlags;
  /** Flags that are arms of an experiment, with its name: meeting them is recorded, and takes a `targetingKey`. */
  readonly experiments?: { readonly [Name in FlagName]?: string };
  /** Attributes of the context that are recorded with exposures, by name. @default none */
  readonly contextAttributes?: readonly string[];
  /** The time that events carry, in ms since 1970. @default 0, always */
  readonly now?: () => number;
  /** @default nothing is said */
  readonly logger?: Logger;
}

export interface TestClient extends BelayClient {
  /** Serves other values from now on, beside those it serves already; the function returned takes them back. */
  override(flags: FixedFlags): () => void;
  /** First exposures so far, oldest first. */
  readonly exposures: readonly Exposure[];
  /** Metric events so far, oldest first. */
  readonly metricEvents: readonly MetricEvent[];
  /** As just made: without overrides, and with nothing recorded, so that every exposure is a first one again. */
  reset(): void;
}

/**
 * Makes a client that serves fixed flags. It is live at once. Throws where a value is no JSON: a test should hear of it.
 *
 * @example
 * const belay = createTestClient({ flags: { "checkout-v2": true }, experiments: { "checkout-v2": "checkout" } });
 * renderPage(belay, { targetingKey: "user-42" });
 * expect(belay.exposures).toMatchObject([{ flag: "checkout-v2", variant: "on", unit: "user-42" }]);
 */
export function createTestClient(options: TestClientOptions = {}): TestClient {
  const client = new FixedClient(options, new FixedServer(), new Recorder());
  client.start();
  return client as FixedClient & BelayClient;
}

class FixedClient extends Client {
  readonly #options: TestClientOptions;
  readonly #server: FixedServer;
  readonly #recorder: Recorder;
  #overrides: readonly FixedFlags[] = [];
  #epoch = 1;
  #revision = 1;

  constructor(options: TestClientOptions, server: FixedServer, recorder: Recorder) {
    super(settingsOf(options, recorder), platformOf(options, server), new Application(options.logger ?? SILENT));
    this.#options = options;
    this.#server = server;
    this.#recorder = recorder;
  }

  get exposures(): readonly Exposure[] {
    return this.#recorder.exposures;
  }

  get metricEvents(): readonly MetricEvent[] {
    return this.#recorder.metricEvents;
  }

  override(flags: FixedFlags): () => void {
    const own = { ...flags };
    this.#overrides = [...this.#overrides, own];
    this.#publish();
    return () => {
      this.#overrides = this.#overrides.filter((flagsOverridden) => flagsOverridden !== own);
      this.#publish();
    };
  }

  reset(): void {
    this.#overrides = [];
    this.#recorder.clear();
    // Units are exposed once an epoch: a new one forgets them all.
    this.#epoch += 1;
    this.#publish();
  }

  #publish(): void {
    this.#revision += 1;
    const flags = Object.assign({}, this.#options.flags, ...this.#overrides);
    this.#server.publish(snapshotOf({ ...this.#options, flags }, this.#revision, this.#epoch));
  }
}

/** Sends rules when it is told to, and takes every event. */
class FixedServer {
  #hear: Hear = () => {};

  readonly transport: Platform["transport"] = {
    stream: (_after, hear) => {
      this.#hear = hear;
      // What the client was made with is what this server has: nothing is missing.
      hear({ on: "opened" });
      return () => {
        this.#hear = () => {};
      };
    },
    poll: () => () => {},
    post: (door, body, done) => {
      const text = door === "events" ? receiptFor(body) : "{}";
      return soon(() => done({ kind: "answered", status: 202, text }));
    },
  };

  publish(snapshot: Snapshot): void {
    this.#hear({ on: "snapshot", snapshot });
  }
}

/** Remembers every event the moment it is made. */
class Recorder implements EventSpool {
  exposures: Exposure[] = [];
  metricEvents: MetricEvent[] = [];
  readonly spooled = undefined;

  open(): void {}

  keep(numbered: NumberedEvent): boolean {
    if (numbered.list === "exposures") this.exposures.push(numbered.event);
    else this.metricEvents.push(numbered.event);
    // Remembered, and yet not kept: it is the server that has it.
    return false;
  }

  counted(): void {}

  answered(): void {}

  clear(): void {
    this.exposures = [];
    this.metricEvents = [];
  }
}

const SILENT: Logger = { warn: () => {}, error: () => {} };
const SPACE = "split";

function settingsOf(options: TestClientOptions, spool: EventSpool): ClientSettings {
  return {
    sdk: SDK,
    instance: "00000000-0000-4000-8000-000000000000",
    held: { snapshot: snapshotOf(options, 1, 1), from: "server" },
    isOffline: false,
    contextAttributes: options.contextAttributes ?? [],
    compile: {},
    sync: SYNC_TIMINGS,
    delivery: DELIVERY_SETTINGS,
    ledger: LEDGER_LIMITS,
    onExposure: undefined,
    keeper: undefined,
    spool,
  };
}

function platformOf({ now = () => 0 }: TestClientOptions, server: FixedServer): Platform {
  return {
    clock: { now, monotonic: () => 0 },
    // Time stands still here: what is due now is done, and nothing ever becomes due.
    timers: { set: (callback, afterMs) => (afterMs === 0 ? soon(callback) : () => {}) },
    random: () => 0,
    transport: server.transport,
  };
}

function soon(callback: () => void): () => void {
  let isStopped = false;
  queueMicrotask(() => isStopped || callback());
  return () => {
    isStopped = true;
  };
}

function receiptFor(body: string): string {
  const { exposures = [], metrics = [] } = JSON.parse(body) as { exposures?: unknown[]; metrics?: unknown[] };
  return JSON.stringify({ accepted: exposures.length + metrics.length, duplicates: 0, rejected: [] });
}

function snapshotOf({ flags = {}, experiments = {} }: TestClientOptions, revision: number, epoch: number): Snapshot {
  const named: Readonly<Record<string, string | undefined>> = experiments;
  const given = Object.entries(flags as Readonly<Record<string, Json | undefined>>);
  const fixed = given.flatMap(([key, value]) => (value === undefined ? [] : [[key, flagOf(value, named[key], epoch)] as const]));
  return {
    format: 1,
    project: "default",
    environment: "test",
    revision,
    spaces: {},
    segments: {},
    flags: Object.fromEntries(fixed),
  };
}

function flagOf(given: Json, experiment: string | undefined, epoch: number): SnapshotFlag {
  // A copy: the client freezes what it serves, and the test's own object is not ours to freeze.
  const value = structuredClone(given);
  const variant = variantOf(value);
  const type = typeof value as SnapshotFlag["type"];
  const fixed = { type, variants: { [variant]: value }, enabled: true, rules: [] };
  if (experiment === undefined) return { ...fixed, fallthrough: { variant } };
  // As in a real experiment somebody is divided here, so a context without a unit is answered with the default.
  const everybody = { variant, draws: [{ space: SPACE, in: [[0, 1_000_000]] as const }], tracks: { experiment, epoch } };
  return { ...fixed, spaces: { [SPACE]: { salt: "test" } }, fallthrough: { split: [everybody] } };
}

/** The name a variant of this value would have: on and off, a text's own, else `fixed`. */
function variantOf(value: Json): string {
  if (typeof value === "boolean") return value ? "on" : "off";
  return typeof value === "string" && /^[\w.-]{1,128}$/.test(value) ? value : "fixed";
}
