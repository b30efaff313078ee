/* What a scenario has said and seen so far, and the API it is played on. */
import { ok } from "node:assert";
import type { SuiteServer } from "./suite-server.ts";

/** What an evaluation said. */
export interface SuiteDetails {
  readonly flagKey: string;
  readonly value: unknown;
  readonly variant?: string | undefined;
  readonly reason?: string | undefined;
  readonly errorCode?: string | undefined;
  readonly flagMetadata: object;
}

export type SuiteStatus = "stable" | "not ready" | "error" | "fatal" | "stale";
export type SuiteType = "boolean" | "string" | "number" | "object";
export type SuiteContext = Readonly<Record<string, unknown>>;

/** The four moments of a hook, each given what the SDK gives. */
export interface SuiteHook {
  before(hookContext: object): SuiteContext | undefined;
  after(hookContext: object, details: unknown): void;
  error(hookContext: object, error: unknown): void;
  finally(hookContext: object, details: unknown): void;
}

export interface SuiteEvaluation {
  readonly type: SuiteType;
  readonly key: string;
  readonly fallback: unknown;
  /** Contexts by the level they are given at: `API`, `Transaction`, `Client`, `Invocation`. */
  readonly contexts: ReadonlyMap<string, SuiteContext>;
  readonly clientHooks: readonly SuiteHook[];
  readonly invocationHooks: readonly SuiteHook[];
}

/** What answers of a provider say besides. */
export interface SuiteTells {
  /** Where they come from; else they hold the flag's own metadata alone. */
  readonly tellsOrigin: boolean;
  /** That they are remembered, by providers that remember. */
  readonly tellsCached: boolean;
}

/** An OpenFeature API with the provider under test, behind which the SDKs look alike. */
export interface ApiUnderTest {
  /** Sets a provider in that state. */
  provide(status: SuiteStatus, tells: SuiteTells): Promise<void>;
  /** Sets a provider that takes its rules from the server there, and waits until it has some. */
  follow(url: string, key: string): Promise<void>;
  /** Tells the keys of each change of configuration. */
  onChanged(listener: (keys: readonly string[]) => void): void;
  readonly name: string;
  readonly status: string;
  evaluate(evaluation: SuiteEvaluation): Promise<SuiteDetails>;
  /** Tracks an event of the context at API level. */
  track(name: string, details: Readonly<Record<string, string | number>>): void;
  /** Takes the provider away; resolves when it has sent what it had. */
  close(): Promise<void>;
  /** The context the provider last decided by. */
  readonly seenContext: SuiteContext;
}

/** What one scenario has said and seen so far. */
export class World {
  readonly api: ApiUnderTest;
  /** Of a stable provider. */
  readonly tellsCached: boolean;
  type: SuiteType = "boolean";
  key = "boolean-flag";
  fallback: unknown = false;
  readonly contexts: Map<string, SuiteContext> = new Map();
  readonly clientHooks: SuiteHook[] = [];
  readonly invocationHooks: SuiteHook[] = [];
  /** Every call of a hook: its name, the moment, what it was given. */
  readonly calls: { readonly hook: string; readonly moment: string; readonly given: unknown }[] = [];
  details: SuiteDetails | undefined;
  before = "";
  levels: readonly string[] = [];
  /** The server of a provider that follows one. */
  server: SuiteServer | undefined;
  /** Keys of each change of configuration that the provider told. */
  readonly changed: (readonly string[])[] = [];

  constructor(api: ApiUnderTest, tellsCached: boolean) {
    this.api = api;
    this.tellsCached = tellsCached;
  }

  ask(type: string, key: string, fallback: string): void {
    const lower = type.toLowerCase();
    this.type = lower === "integer" || lower === "float" ? "number" : (lower as SuiteType);
    this.key = key;
    this.fallback = readValue(lower, fallback);
  }

  add(level: string, entry: SuiteContext): void {
    if (level === "Before Hooks") this.clientHooks.push({ ...this.hook("context"), before: () => entry });
    else this.contexts.set(level, { ...this.contexts.get(level), ...entry });
  }

  hook(name: string): SuiteHook {
    const note = (moment: string) => (_: object, given?: unknown) => {
      this.calls.push({ hook: name, moment, given });
      return undefined;
    };
    return { before: note("before"), after: note("after"), error: note("error"), finally: note("finally") };
  }

  async evaluate(): Promise<void> {
    const { type, key, fallback, contexts, clientHooks, invocationHooks } = this;
    this.details = await this.api.evaluate({ type, key, fallback, contexts, clientHooks, invocationHooks });
  }

  get answer(): SuiteDetails {
    ok(this.details, "nothing was evaluated");
    return this.details;
  }

  moments(name: string): string[] {
    return this.calls.filter(({ hook }) => hook === name).map(({ moment }) => moment);
  }
}

/** What a sentence does, given what its pattern caught and the rows below it. */
export type Does = (world: World, told: readonly string[], table: readonly (readonly string[])[]) => void | Promise<void>;

/** A value as tables write it: JSON but for texts, the quotes of objects escaped. */
export function readValue(type: string, text: string): unknown {
  if (type === "string") return text;
  return JSON.parse(type === "object" ? text.replaceAll('\\"', '"') : text);
}
