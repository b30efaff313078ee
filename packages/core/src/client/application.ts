/*
 * The application's own code: its logger, its listeners, its hooks. It is called here and nowhere else, so that whatever
 * it throws, now or later in a promise, stays here.
 */
import type { FlagKey, Revision } from "@belay/protocol";

/** What a logger must have; `console` fits, and so do pino and winston. */
export interface Logger {
  debug?(message: string): void;
  info?(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

/**
 * `starting`: nothing to decide with yet, callers get their defaults; `live`: the server confirmed the rules within the
 * last two heartbeats; `stale`: decisions go on with the rules held, unconfirmed; `offline`: as asked for; `closed`: for good.
 */
export type ClientState = "starting" | "live" | "stale" | "offline" | "closed";

/** New rules decide from now on. */
export interface RulesChange {
  readonly revision: Revision;
  /** Flags whose decisions may differ. */
  readonly keys: readonly FlagKey[];
}

/** Something went wrong that decisions did not suffer from. */
export interface ClientError {
  readonly code:
    | "options"
    | "connection"
    | "delivery"
    | "definition"
    | "events_dropped"
    | "event_rejected"
    | "cache"
    | "spool"
    | "usage";
  readonly message: string;
}

export interface ClientEvents {
  readonly change: RulesChange;
  readonly state: ClientState;
  readonly error: ClientError;
}

type Listener<Name extends keyof ClientEvents> = (event: ClientEvents[Name]) => void;

/** Topics of one code that are remembered as said; beyond it new ones are not said at all. Other codes are not silenced by it. */
const SAID_MAX = 100;

export class Application {
  readonly #logger: Logger;
  readonly #listeners: { readonly [Name in keyof ClientEvents]: Set<Listener<Name>> } = {
    change: new Set(),
    state: new Set(),
    error: new Set(),
  };
  readonly #said = new Map<ClientError["code"], Set<string>>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Adds a listener; the function returned takes it away again. A name that is no event is said once, and never heard. */
  on<Name extends keyof ClientEvents>(name: Name, listener: Listener<Name>): () => void {
    const listeners = Object.hasOwn(this.#listeners, name) ? this.#listeners[name] : undefined;
    if (listeners === undefined || typeof listener !== "function") {
      this.warnOnce(`on ${String(name)}`, {
        code: "usage",
        message: `on(${String(name)}, …) needs "change", "state" or "error" and a function`,
      });
      return () => {};
    }
    // Wrapped, so that one function added twice is two listeners, each with its own way out.
    const own: Listener<Name> = (event) => listener(event);
    listeners.add(own);
    return () => void listeners.delete(own);
  }

  emit<Name extends keyof ClientEvents>(name: Name, event: ClientEvents[Name]): void {
    for (const listener of [...this.#listeners[name]]) this.call(() => listener(event));
  }

  /** Runs the application's code. What it throws, or rejects with, is swallowed: it must not reach whoever asked for a flag. */
  call(code: () => unknown): void {
    try {
      const result = code();
      if (result instanceof Promise) result.catch(() => {});
    } catch {
      // Not even logged: it may be the logger that threw.
    }
  }

  say(level: "debug" | "info", message: string): void {
    this.call(() => this.#logger[level]?.(`belay: ${message}`));
  }

  /** Logs and tells the `error` listeners. */
  warn(error: ClientError, level: "warn" | "error" = "warn"): void {
    this.call(() => this.#logger[level](`belay: ${error.message}`));
    this.emit("error", error);
  }

  /** Warns about a topic the first time only. */
  warnOnce(topic: string, error: ClientError): void {
    const said = this.#said.get(error.code) ?? new Set();
    this.#said.set(error.code, said);
    if (said.has(topic) || said.size >= SAID_MAX) return;
    said.add(topic);
    this.warn(error);
  }
}
