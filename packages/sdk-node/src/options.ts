import { checkSnapshot, type ExposureSeen, type Logger } from "@belay/core/client";
import type { Snapshot } from "@belay/protocol";

/** Options of `createClient`. Only `url` and `sdkKey` are needed, and with `offline` not even those. */
export interface ClientOptions {
  /** Address of the Belay server, for example `http://localhost:4400`; a path in front of `/sdk/v1` may follow. */
  readonly url?: string;
  /** SDK key of the environment, of kind `server`. */
  readonly sdkKey?: string;
  /** Rules to decide with until the server answers, or for good with `offline`. */
  readonly bootstrap?: Snapshot;
  /** Asks no server and sends nothing: decides with `bootstrap`. @default false */
  readonly offline?: boolean;
  /** Keeps the last known good rules in this file, and starts from it while the server is away. Its folder is created. */
  readonly cacheFile?: string;
  /**
   * Keeps events in this folder until the server has them, so that they outlive `kill -9`; what a process left there is
   * sent by the next one. Processes may share a folder. It is created.
   */
  readonly spoolDir?: string;
  /** Time between two polls where streaming is not possible. @default 30,000, minimum 1,000 */
  readonly pollIntervalMs?: number;
  /** Events wait at most this long for others to travel with. @default 1,000, minimum 10 */
  readonly flushIntervalMs?: number;
  /** Attributes of the context that are recorded with exposures, by name. @default none */
  readonly contextAttributes?: readonly string[];
  /** Sends what is left when the process ends by itself, by SIGTERM or by SIGINT. @default true */
  readonly flushOnExit?: boolean;
  /** Called with each first exposure, after the decision. What it throws is swallowed. */
  readonly onExposure?: (exposure: ExposureSeen) => void;
  /** @default warnings and errors to the console */
  readonly logger?: Logger;
}

/** Options that can be worked with, and what was wrong with the ones given. */
export interface ReadOptions {
  /** Absent: nothing can be asked. */
  readonly server: { readonly url: URL; readonly sdkKey: string } | undefined;
  readonly bootstrap: Snapshot | undefined;
  readonly isOffline: boolean;
  readonly cacheFile: string | undefined;
  readonly spoolDir: string | undefined;
  readonly pollIntervalMs: number;
  readonly flushIntervalMs: number;
  readonly contextAttributes: readonly string[];
  readonly flushOnExit: boolean;
  readonly onExposure: ((exposure: ExposureSeen) => void) | undefined;
  readonly logger: Logger;
  /** One sentence each, with the remedy. */
  readonly problems: readonly string[];
}

const POLL_INTERVAL_MS = 30_000;
const FLUSH_INTERVAL_MS = 1_000;

const quietConsole: Logger = { warn: (message) => console.warn(message), error: (message) => console.error(message) };

/** Reads options as they may come from anywhere. Never throws: what is wrong is named and replaced by its default. */
export function readOptions(given: ClientOptions): ReadOptions {
  const problems: string[] = [];
  const reader = new Reader(typeof given === "object" && given !== null ? given : {}, problems);
  const isOffline = reader.flag("offline", false);
  return {
    server: isOffline ? undefined : readServer(reader),
    isOffline,
    bootstrap: readBootstrap(reader),
    cacheFile: reader.text("cacheFile"),
    spoolDir: reader.text("spoolDir"),
    pollIntervalMs: reader.atLeast("pollIntervalMs", 1_000, POLL_INTERVAL_MS),
    flushIntervalMs: reader.atLeast("flushIntervalMs", 10, FLUSH_INTERVAL_MS),
    contextAttributes: readNames(reader),
    flushOnExit: reader.flag("flushOnExit", true),
    onExposure: reader.callback("onExposure"),
    logger: readLogger(reader),
    problems,
  };
}

function readServer(reader: Reader): { url: URL; sdkKey: string } | undefined {
  const address = reader.text("url");
  const sdkKey = reader.text("sdkKey");
  if (address === undefined) reader.say("url is missing; give the server's address, for example http://localhost:4400");
  if (sdkKey === undefined) reader.say("sdkKey is missing; give an SDK key of the environment");
  if (address === undefined || sdkKey === undefined) return undefined;
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    reader.say("url is no http or https address");
    return undefined;
  }
  // A line end in a header is refused by Node with an exception; the key itself is never quoted.
  if (!/^[\x21-\x7e]+$/.test(sdkKey)) {
    reader.say("sdkKey holds characters that no key has");
    return undefined;
  }
  return { url, sdkKey };
}

function readBootstrap(reader: Reader): Snapshot | undefined {
  const given = reader.get("bootstrap");
  if (given === undefined) return undefined;
  const snapshot = checkSnapshot(given);
  if (typeof snapshot !== "string") return snapshot;
  reader.say(`bootstrap ${snapshot}; it is not used`);
  return undefined;
}

function readNames(reader: Reader): readonly string[] {
  const given = reader.get("contextAttributes");
  if (given === undefined) return [];
  if (Array.isArray(given) && given.every((name) => typeof name === "string")) return [...given];
  reader.say("contextAttributes must be a list of names; none are recorded");
  return [];
}

function readLogger(reader: Reader): Logger {
  const given = reader.get("logger") as Partial<Logger> | undefined;
  if (given === undefined) return quietConsole;
  if (typeof given?.warn === "function" && typeof given.error === "function") return given as Logger;
  reader.say("logger must have warn and error; the console is used");
  return quietConsole;
}

class Reader {
  readonly #given: Readonly<Record<string, unknown>>;
  readonly #problems: string[];

  constructor(given: object, problems: string[]) {
    this.#given = given as Record<string, unknown>;
    this.#problems = problems;
  }

  say(problem: string): void {
    this.#problems.push(problem);
  }

  get(name: keyof ClientOptions): unknown {
    try {
      return this.#given[name] ?? undefined;
    } catch {
      this.say(`${name} could not be read`);
      return undefined;
    }
  }

  text(name: keyof ClientOptions): string | undefined {
    const value = this.get(name);
    if (value === undefined || (typeof value === "string" && value !== "")) return value;
    this.say(`${name} must be a text; it is not used`);
    return undefined;
  }

  flag(name: keyof ClientOptions, fallback: boolean): boolean {
    const value = this.get(name) ?? fallback;
    if (typeof value === "boolean") return value;
    this.say(`${name} must be true or false; ${fallback} is used`);
    return fallback;
  }

  atLeast(name: keyof ClientOptions, least: number, fallback: number): number {
    const value = this.get(name) ?? fallback;
    if (typeof value === "number" && Number.isFinite(value) && value >= least) return value;
    this.say(`${name} must be a number of at least ${least}; ${fallback} is used`);
    return fallback;
  }

  callback<F>(name: keyof ClientOptions): F | undefined {
    const value = this.get(name);
    if (value === undefined || typeof value === "function") return value as F | undefined;
    this.say(`${name} must be a function; it is not called`);
    return undefined;
  }
}
