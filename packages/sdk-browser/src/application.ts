/* The application's own code, called in one guarded place: what it throws stays here. */
import type { FlagKey, Revision } from "@belay/protocol";

/** What a logger must have; `console` fits. */
export interface Logger {
  warn(message: string): void;
}

/**
 * `starting`: nothing to decide with yet, callers get their defaults; `live`: the server confirmed the rules within the
 * last two heartbeats; `stale`: decisions go on with the rules held, unconfirmed; `offline`: as asked for; `closed`: for good.
 */
export type ClientState = "starting" | "live" | "stale" | "offline" | "closed";

/** Flags answer differently from now on, because of new rules or of another context. */
export interface FlagsChange {
  readonly revision: Revision;
  /** Flags whose answer for the current context is another one; found out when it is read. */
  readonly keys: readonly FlagKey[];
}

export interface ClientEvents {
  readonly change: FlagsChange;
  readonly state: ClientState;
  /** Something went wrong that decisions did not suffer from; one sentence. */
  readonly error: string;
}

export type Listener<Name extends keyof ClientEvents> = (event: ClientEvents[Name]) => void;

export interface Application {
  /** Adds a listener; the function returned takes it away again. */
  on<Name extends keyof ClientEvents>(name: Name, listener: Listener<Name>): () => void;
  /** Tells the listeners there are; without any, nothing is made to be told. */
  emit<Name extends keyof ClientEvents>(name: Name, make: () => ClientEvents[Name]): void;
  /** Logs and tells `error` listeners, each sentence once. */
  warn(message: string): void;
}

/** Sentences said are remembered up to this bound; beyond it nothing new is said. */
const SAID_MAX = 100;

export function applicationOf(logger: Logger): Application {
  const listeners = new Set<readonly [name: string, listener: Listener<never>]>();
  const said = new Set<string>();
  const emit = (name: string, make: () => unknown): void => {
    let event: unknown;
    for (const [wanted, listener] of [...listeners]) {
      if (wanted !== name) continue;
      event ??= make();
      guarded(() => listener(event as never));
    }
  };
  return {
    on: (name, listener) => {
      const entry = [name, listener] as const;
      listeners.add(entry);
      return () => void listeners.delete(entry);
    },
    emit,
    warn: (message) => {
      if (said.has(message) || said.size >= SAID_MAX) return;
      said.add(message);
      guarded(() => logger.warn(`belay: ${message}`));
      emit("error", () => message);
    },
  };
}

/** Runs the application's code. */
function guarded(code: () => unknown): void {
  try {
    code();
  } catch {
    // Whoever asked for a flag is not to blame for a logger.
  }
}
