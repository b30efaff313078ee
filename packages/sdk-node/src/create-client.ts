import { createHash, randomUUID } from "node:crypto";
import { join } from "node:path";
import type { CompileOptions } from "@belay/core";
import {
  Application,
  CLOSE_DEADLINE_MS,
  Client,
  type ClientSettings,
  type ClientState,
  DELIVERY_SETTINGS,
  type DeliveryReport,
  FLUSH_TIMEOUT_MS,
  type Held,
  LEDGER_LIMITS,
  type Platform,
  READY_TIMEOUT_MS,
  SYNC_TIMINGS,
} from "@belay/core/client";
import { RE2JS } from "re2js";
import { CacheFile, readCacheFile } from "./cache-file.ts";
import { onProcessExit } from "./exit.ts";
import type { BelayClient } from "./flag-types.ts";
import { HttpDoors } from "./http.ts";
import { type ClientOptions, type ReadOptions, readOptions } from "./options.ts";
import { type SpoolOfClient, spoolOf } from "./spool/client-spool.ts";
import { HttpTransport } from "./transport.ts";
import { SDK } from "./version.ts";

/**
 * Makes a client and starts it. Never throws: with options that cannot be worked with the client answers every call
 * with its default and has said so once.
 *
 * @example
 * const belay = createClient({ url: "http://localhost:4400", sdkKey: "..." });
 * await belay.ready({ timeoutMs: 2_000 });
 * belay.isEnabled("checkout-v2", { targetingKey: "user-42" });
 */
export function createClient(options: ClientOptions = {}): BelayClient {
  return createClientWith(options, {});
}

/** What tests replace. */
export type Tuning = Partial<Pick<ClientSettings, "sync" | "delivery" | "ledger">> & Partial<Platform>;

/** As `createClient`, on other durations, limits or another platform. */
export function createClientWith(options: ClientOptions, tuning: Tuning): BelayClient {
  const read = readOptions(options);
  const application = new Application(read.logger);
  if (read.problems.length > 0) {
    application.warn({ code: "options", message: `createClient: ${read.problems.join("; ")}` }, "error");
  }
  const client = new NodeClient(read, application, tuning);
  client.start();
  // At run time every key is a text; the declared types are the application's word.
  return client as Client as BelayClient;
}

/** Rules are compiled with the linear-time engine: no pattern and no value can hold up the application. */
const COMPILE: CompileOptions = {
  regex: (pattern) => RE2JS.compile(pattern),
};

/** The shared client, on Node: while somebody waits for it the process stays, otherwise it may end. */
class NodeClient extends Client {
  readonly #cache: CacheFile | undefined;
  readonly #doors: HttpDoors | undefined;
  readonly #spool: SpoolOfClient | undefined;
  #forgetExit: () => void = () => {};
  #ending: Promise<DeliveryReport> | undefined;

  constructor(read: ReadOptions, application: Application, tuning: Tuning) {
    const { server } = read;
    const origin = server === undefined ? undefined : originOf(server);
    const cached = readCached(read, origin, application);
    const cache = makeCache(read, origin, cached, application);
    const doors = server === undefined ? undefined : new HttpDoors(server.url, server.sdkKey, SDK);
    const platform = platformOf(doors, tuning);
    const instance = randomUUID();
    const settings = settingsOf(read, instance, cached, cache, tuning);
    const spool = makeSpool(read, origin, settings, platform, application);
    super({ ...settings, spool: spool?.events }, platform, application);
    this.#cache = cache;
    this.#doors = doors;
    this.#spool = spool;
    if (read.flushOnExit && server !== undefined) this.#forgetExit = this.#seeOff(application);
  }

  override ready({ timeoutMs = READY_TIMEOUT_MS }: { readonly timeoutMs?: number } = {}): Promise<ClientState> {
    return holdProcess(super.ready({ timeoutMs }), timeoutMs);
  }

  override flush({ timeoutMs = FLUSH_TIMEOUT_MS }: { readonly timeoutMs?: number } = {}): Promise<DeliveryReport> {
    return holdProcess(super.flush({ timeoutMs }), timeoutMs);
  }

  override close({ deadlineMs = CLOSE_DEADLINE_MS }: { readonly deadlineMs?: number } = {}): Promise<DeliveryReport> {
    this.#ending ??= holdProcess(this.#end(deadlineMs), deadlineMs);
    return this.#ending;
  }

  override start(): void {
    super.start();
    this.#spool?.start();
  }

  async #end(deadlineMs: number): Promise<DeliveryReport> {
    const [report] = await Promise.all([super.close({ deadlineMs }), atMost(this.#cache?.close(), deadlineMs)]);
    await atMost(this.#spool?.close(), FILES_MS);
    this.#forgetExit();
    this.#doors?.close();
    return report;
  }

  #seeOff(application: Application): () => void {
    return onProcessExit({
      close: () => this.close(),
      unsent: () => this.report().queued,
      abandoned: (unsent) => {
        this.#spool?.saveNow();
        if (this.#spool !== undefined) return application.say("info", `ended with ${unsent} events in the spool`);
        const message = `the process ended by process.exit with ${unsent} events not sent; call close() before it`;
        application.warn({ code: "events_dropped", message }, "error");
      },
    });
  }
}

function settingsOf(
  read: ReadOptions,
  instance: string,
  cached: Held | undefined,
  keeper: CacheFile | undefined,
  tuning: Tuning,
): ClientSettings {
  const { bootstrap } = read;
  return {
    sdk: SDK,
    instance,
    // What the server said earlier is nearer to what it would say now than what the application was built with.
    held: cached ?? (bootstrap === undefined ? undefined : { snapshot: bootstrap, from: "application" }),
    isOffline: read.server === undefined,
    contextAttributes: read.contextAttributes,
    compile: COMPILE,
    sync: tuning.sync ?? { ...SYNC_TIMINGS, pollIntervalMs: read.pollIntervalMs },
    delivery: tuning.delivery ?? { ...DELIVERY_SETTINGS, flushIntervalMs: read.flushIntervalMs },
    ledger: tuning.ledger ?? LEDGER_LIMITS,
    onExposure: read.onExposure,
    keeper,
  };
}

function platformOf(doors: HttpDoors | undefined, tuning: Tuning): Platform {
  return {
    clock: tuning.clock ?? { now: () => Date.now(), monotonic: () => performance.now() },
    timers: tuning.timers ?? { set: setUnreferenced },
    random: tuning.random ?? Math.random,
    transport: tuning.transport ?? (doors === undefined ? NO_TRANSPORT : new HttpTransport(doors)),
  };
}

/** A client without a server asks nothing. */
const NO_TRANSPORT: Platform["transport"] = { stream: () => () => {}, poll: () => () => {}, post: () => () => {} };

/** Longer waits overflow Node's timers, which would fire at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

function setUnreferenced(callback: () => void, afterMs: number): () => void {
  const timer = setTimeout(callback, Math.min(afterMs, TIMER_MS_MAX)).unref();
  return () => clearTimeout(timer);
}

/** Sockets and timers of a client let the process end; a promise somebody waits for must not. */
async function holdProcess<T>(promise: Promise<T>, timeoutMs: number): Promise<T> {
  const hold = setTimeout(() => {}, Math.min(timeoutMs + HOLD_GRACE_MS, TIMER_MS_MAX));
  try {
    return await promise;
  } finally {
    clearTimeout(hold);
  }
}

/** What is left to do after the time is over: files, the last words. */
const HOLD_GRACE_MS = 1_000;
const FILES_MS = 500;

/** Waits for files no longer than that: a disk that hangs must not hold a deadline up. */
async function atMost(files: Promise<void> | undefined, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs);
  });
  await Promise.race([files, timeout]);
  clearTimeout(timer);
}

function originOf(server: { readonly url: URL; readonly sdkKey: string }): string {
  return createHash("sha256").update(`${server.url.href}\n${server.sdkKey}`).digest("hex").slice(0, 32);
}

function readCached(read: ReadOptions, origin: string | undefined, application: Application): Held | undefined {
  if (read.cacheFile === undefined || origin === undefined) return undefined;
  const snapshot = readCacheFile(read.cacheFile, origin);
  if (snapshot === undefined) return undefined;
  if (typeof snapshot !== "string") return { snapshot, from: "server" };
  const message = `the cache file ${read.cacheFile} is not used: ${snapshot}; it will be written anew`;
  application.warn({ code: "cache", message });
  return undefined;
}

function makeCache(
  read: ReadOptions,
  origin: string | undefined,
  cached: Held | undefined,
  application: Application,
): CacheFile | undefined {
  if (read.cacheFile === undefined || origin === undefined) return undefined;
  return new CacheFile(read.cacheFile, origin, cached?.snapshot, (detail) => {
    const message = `the cache file ${read.cacheFile} cannot be written: ${detail}`;
    application.warnOnce(message, { code: "cache", message });
  });
}

function makeSpool(
  read: ReadOptions,
  origin: string | undefined,
  { instance, sdk, delivery }: ClientSettings,
  platform: Platform,
  application: Application,
): SpoolOfClient | undefined {
  const { spoolDir } = read;
  if (spoolDir === undefined || origin === undefined) return undefined;
  return spoolOf(join(spoolDir, origin), { spool: 1, instance, sdk }, platform, delivery, {
    failed: (detail) => {
      const message = `the spool ${spoolDir} is in trouble: ${detail}`;
      application.warnOnce(message, { code: "spool", message });
    },
    sent: (other, events) => application.say("info", `sent ${events} events that instance ${other} left`),
  });
}
