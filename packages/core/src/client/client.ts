/*
 * The client both SDKs share. It owns the rules in force, answers from them without waiting, and wires the connection,
 * the ledger and the delivery together; the platform around it is all arguments.
 */
import type { Evaluation, EvaluationContext, FlagKey, Json, Revision, Snapshot, SnapshotChange } from "@belay/protocol";
import { isPlain, unitText } from "../attribute.ts";
import { FIRST_MALFORMED, FIRST_MISS, UNKNOWN_FLAG } from "../decide.ts";
import type { CompileOptions } from "../definitions.ts";
import { decideDirect } from "../direct.ts";
import { hasTypeOf, toEvaluation } from "../evaluate.ts";
import { type Explanation, explain } from "../explain.ts";
import type { Met } from "../fingerprint.ts";
import type { BY_STEPS as BySteps, CompiledFlag, LONG_WAY as LongWay, Outcome, UNKNOWN_KEY as UnknownKey } from "../program.ts";
import { compile, type Ruleset } from "../ruleset.ts";
import { isOn } from "../way.ts";
import type { Application, ClientEvents, ClientState } from "./application.ts";
import { Connection } from "./connection.ts";
import { Delivery, type DeliverySettings } from "./delivery.ts";
import { type DeliveryReport, Ledger, type LedgerLimits } from "./ledger.ts";
import { nearestKey } from "./nearest-key.ts";
import type { EventSpool, Platform } from "./ports.ts";
import { Receipts } from "./receipts.ts";
import { SENDABLE, type Sendable, sendable, sendableAttributes } from "./sendable.ts";
import type { Failure, Sync, SyncTimings } from "./sync.ts";

/** What is known before the server answers. */
export interface Held {
  readonly snapshot: Snapshot;
  /** `server`: it came from this server earlier, and its revision counts; `application`: the first answer replaces it. */
  readonly from: "server" | "application";
}

export interface ClientSettings {
  readonly sdk: string;
  /** A UUID of this run. */
  readonly instance: string;
  readonly held: Held | undefined;
  /** Decide with what is held and send nothing. */
  readonly isOffline: boolean;
  /** Attributes of the context that go with exposures. */
  readonly contextAttributes: readonly string[];
  readonly compile: CompileOptions;
  readonly sync: SyncTimings;
  readonly delivery: DeliverySettings;
  readonly ledger: LedgerLimits;
  readonly onExposure: ((exposure: ExposureSeen) => void) | undefined;
  /** Told of every document that came from the server and was taken over. */
  readonly keeper: SnapshotKeeper | undefined;
  /** Keeps events beside the memory of this process. */
  readonly spool?: EventSpool | undefined;
}

/** Keeps what the server said for the next start. */
export interface SnapshotKeeper {
  adopted(snapshot: Snapshot): void;
  applied(change: SnapshotChange): void;
}

/** A first exposure, as the `onExposure` hook sees it. */
export interface ExposureSeen {
  readonly flag: FlagKey;
  readonly variant: string;
  readonly unit: string;
  readonly experiment?: string;
  readonly release?: string;
  readonly revision: Revision;
  /** Would the unit have got another value outside its arm? Absent: not known. */
  readonly differs?: boolean;
}

export interface TrackDetails {
  /** A finite number. */
  readonly value?: number;
  /** Bounded plain data; what cannot be sent is left out, and said once. */
  readonly properties?: { readonly [name: string]: unknown };
}

/** The type of a default as the type of the answer: `value("pricing", context, "compact")` is a string, not only "compact". */
export type Widened<T extends Json> = T extends string ? string : T extends number ? number : T extends boolean ? boolean : T;

export const READY_TIMEOUT_MS = 5_000;
export const FLUSH_TIMEOUT_MS = 5_000;
export const CLOSE_DEADLINE_MS = 4_000;

const NO_CONTEXT: EvaluationContext = {};
const NO_RULES: Snapshot = { format: 1, project: "", environment: "", revision: 0, spaces: {}, segments: {}, flags: {} };

// Numbers of `program.ts` and functions of others by names of this module: V8 takes those for constants, and looks an
// imported one up at each call.
const LONG_WAY: typeof LongWay = 0;
const UNKNOWN_KEY: typeof UnknownKey = 1;
const BY_STEPS: typeof BySteps = 2;
const [answerPlain, answerBySteps, isPlainObject] = [isOn, decideDirect, isPlain];

/** Unknown keys warned about; beyond the bound further ones are answered in silence. */
const UNKNOWN_KEYS_MAX = 50;
const KEY_LENGTH_MAX = 128;

export class Client {
  readonly #settings: Omit<ClientSettings, "held">;
  readonly #platform: Platform;
  readonly #application: Application;
  readonly #ledger: Ledger;
  readonly #met: Met;
  readonly #delivery: Delivery;
  readonly #receipts: Receipts;
  readonly #connection: Connection;
  readonly #unknownKeys = new Set<string>();
  #rules: Ruleset;
  /** Those of the rules, at hand: two loads less for every question. */
  #flags: ReadonlyMap<FlagKey, CompiledFlag>;
  #hasRules: boolean;
  #isStale = true;
  #state: ClientState = "starting";
  #saidFailure: string | undefined;
  #waiting: ((state: ClientState) => void)[] = [];
  #closing: Promise<DeliveryReport> | undefined;

  constructor(settings: ClientSettings, platform: Platform, application: Application) {
    // The snapshot is compiled and then let go: parsed JSON is several times the size of the rules made of it.
    const { held, ...kept } = settings;
    this.#settings = kept;
    this.#platform = platform;
    this.#application = application;
    this.#rules = compile(held?.snapshot ?? NO_RULES, settings.compile);
    this.#flags = this.#rules.flags;
    this.#hasRules = held !== undefined;
    this.#ledger = new Ledger(settings.ledger, {
      isOffline: settings.isOffline,
      now: () => platform.clock.now(),
      attributes: (context) => this.#attributes(context),
      differs: (key, outcome, context) => this.#rules.differs(key, outcome, context),
      queued: () => this.#delivery.queued(),
      exposed: (exposure) => this.#exposed(exposure),
      dropped: (reason) => this.#droppedEvents(reason),
      spool: settings.spool,
    });
    this.#met = this.#ledger.met;
    this.#delivery = new Delivery(platform, settings.delivery, this.#ledger, {
      sdk: settings.sdk,
      instance: settings.instance,
      collectCounts: () => this.#ledger.count(this.#rules.takeCounts()),
      failed: (detail, waitMs) => this.#deliveryFailed(detail, waitMs),
    });
    this.#receipts = new Receipts(platform, kept);
    this.#connection = new Connection(
      platform,
      settings.sync,
      {
        adopt: (snapshot) => this.#adopt(snapshot),
        apply: (change) => this.#apply(change),
        moved: (sync) => this.#moved(sync),
        failed: (failure, waitMs) => this.#connectionFailed(failure, waitMs),
        offeredOlder: (offered, revision) => this.#offeredOlder(offered, revision),
      },
      {
        isOffline: settings.isOffline,
        revision: held?.snapshot.revision ?? 0,
        isProvisional: held?.from === "application",
      },
    );
    this.#sayDefects();
  }

  start(): void {
    this.#connection.start();
    this.#moved(this.#connection.sync);
    if (!this.#settings.isOffline) this.#delivery.start();
  }

  get state(): ClientState {
    return this.#state;
  }

  /** Revision of the rules in force; 0 before the first came. */
  get revision(): Revision {
    return this.#rules.revision;
  }

  /** The flag set that decides, `project/environment`; `undefined` before the first rules came. */
  get flagSetId(): string | undefined {
    return this.#hasRules ? `${this.#rules.project}/${this.#rules.environment}` : undefined;
  }

  /**
   * Hot path. Nothing here allocates: no closures, no rest arguments, no objects. What most questions are about is answered
   * here, by the flag's own `way`, so that V8 can inline it into the application's loop down to the hash (see `hashAfter`:
   * the room is small, and `decide` with all it knows takes up half of it); the rest is a call.
   */
  isEnabled(key: FlagKey, context: EvaluationContext = NO_CONTEXT, fallback = false): boolean {
    const flag = this.#flags.get(key);
    if (flag === undefined || flag.way === LONG_WAY) return this.#decideEnabled(key, context, fallback);
    if (flag.way === UNKNOWN_KEY) {
      flag.asked = (flag.asked + 1) | 0;
      return fallback;
    }
    try {
      // Loaded plainly, and before the prototype is looked at: see `Ruleset.decide`.
      const unit = context.targetingKey;
      if (typeof unit === "string" && unit.length !== 0 && isPlainObject(context)) {
        if (flag.way !== BY_STEPS) return answerPlain(flag, unit);
        const outcome = answerBySteps(flag, unit, context);
        this.#rules.count(flag, outcome);
        return outcome.value === undefined ? fallback : (outcome.value as boolean);
      }
    } catch {
      // No context, or one that throws when it is read: nothing was counted yet.
    }
    return this.#decideEnabled(key, context, fallback);
  }

  /**
   * The answer of any flag to any context. The `try` costs nothing while nothing throws, and what throws is a context whose
   * getters do. What happens seldom is put away in `#note` and `#missed`.
   */
  #decideEnabled(key: FlagKey, context: EvaluationContext, fallback: boolean): boolean {
    try {
      const outcome = this.#rules.decide(key, context, this.#met);
      const { value } = outcome;
      if (typeof value === "boolean") {
        if (outcome.tracks !== undefined) this.#note(key, outcome, context);
        return value;
      }
      this.#missed(key, outcome, "boolean");
    } catch {
      // The context threw while it was read: the caller's default is the answer.
    }
    return fallback;
  }

  /** As `isEnabled`, for every type: the flag's value where it is of the default's type, else the default. */
  value<T extends Json>(key: FlagKey, context: EvaluationContext, fallback: T): Widened<T> {
    try {
      const outcome = this.#rules.decide(key, context, this.#met);
      const { value } = outcome;
      if (value !== undefined && hasTypeOf(value, fallback)) {
        if (outcome.tracks !== undefined) this.#note(key, outcome, context);
        return value as Widened<T>;
      }
      this.#missed(key, outcome, typeName(fallback));
    } catch {
      // As above.
    }
    return fallback as Widened<T>;
  }

  /** The value with what led to it. Counts and records exposures as `value` does. */
  evaluate<T extends Json>(key: FlagKey, context: EvaluationContext, fallback: T): Evaluation<Widened<T>> {
    const { revision } = this;
    const answer = fallback as Widened<T>;
    try {
      const outcome = this.#rules.decide(key, context, this.#met);
      if (outcome.value !== undefined && hasTypeOf(outcome.value, answer)) {
        if (outcome.tracks !== undefined) this.#note(key, outcome, context);
        const evaluation = toEvaluation(outcome, answer, revision, this.#rules.metadata(key));
        return this.#isStale ? { ...evaluation, reason: "STALE" } : evaluation;
      }
      this.#missed(key, outcome, typeName(fallback));
      if (this.#hasRules) return toEvaluation(outcome, answer, revision, this.#rules.metadata(key));
      return { value: answer, reason: "ERROR", errorCode: "PROVIDER_NOT_READY", revision };
    } catch {
      return { value: answer, reason: "ERROR", errorCode: "GENERAL", revision };
    }
  }

  #note(key: FlagKey, outcome: Outcome, context: EvaluationContext): void {
    if (outcome.tracks !== undefined) this.#ledger.note(key, outcome, outcome.tracks, context, this.#rules.revision);
  }

  /** The whole walk of a decision in words. Counts nothing and records nothing. */
  explain(key: FlagKey, context: EvaluationContext): Explanation {
    try {
      return explain(this.#rules, key, context ?? NO_CONTEXT);
    } catch {
      // A context that throws when it is read has nothing to tell.
      return explain(this.#rules, typeof key === "string" ? key : "", NO_CONTEXT);
    } finally {
      // It may be the first question about the flag.
      this.#sayDefects();
    }
  }

  /** Records a metric event of the context's unit. What cannot be sent is refused, counted and said once. */
  track(name: string, context: EvaluationContext, details: TrackDetails = {}): void {
    try {
      if (this.#settings.isOffline) return;
      const problem = this.#track(name, context, details);
      if (problem !== undefined) this.#rejectEvent(name, problem);
    } catch {
      this.#rejectEvent(name, "reading it threw");
    }
  }

  on<Name extends keyof ClientEvents>(name: Name, listener: (event: ClientEvents[Name]) => void): () => void {
    return this.#application.on(name, listener);
  }

  /**
   * Resolves with the state as soon as the server has confirmed the rules, or after `timeoutMs` (default 5,000) whatever
   * it is then. Never rejects; an application need not wait for it.
   */
  ready({ timeoutMs = READY_TIMEOUT_MS }: { readonly timeoutMs?: number } = {}): Promise<ClientState> {
    if (this.#isSettled()) return Promise.resolve(this.#state);
    return new Promise((resolve) => {
      const stop = this.#platform.timers.set(() => resolve(this.#state), timeoutMs);
      this.#waiting.push((state) => {
        stop();
        resolve(state);
      });
    });
  }

  /** How the events of this instance stand; `produced = stored + dropped + queued` always. */
  report(): DeliveryReport {
    return this.#ledger.report();
  }

  /** Sends everything there is; resolves with how it stands when all is answered for, or after `timeoutMs` (default 5,000). */
  async flush({ timeoutMs = FLUSH_TIMEOUT_MS }: { readonly timeoutMs?: number } = {}): Promise<DeliveryReport> {
    if (!this.#settings.isOffline && this.#closing === undefined) await this.#delivery.flush(timeoutMs);
    return this.report();
  }

  /**
   * Sends what is left and ends everything within `deadlineMs` (default 4,000); resolves with how the events stand.
   * Decisions go on with the rules held. Closing twice is closing once.
   */
  close({ deadlineMs = CLOSE_DEADLINE_MS }: { readonly deadlineMs?: number } = {}): Promise<DeliveryReport> {
    this.#closing ??= this.#close(deadlineMs);
    return this.#closing;
  }

  async #close(deadlineMs: number): Promise<DeliveryReport> {
    this.#connection.close();
    this.#receipts.close();
    if (!this.#settings.isOffline) await this.#delivery.close(deadlineMs);
    const report = this.report();
    if (report.dropped > 0) {
      const message = `closed with ${report.dropped} of ${report.produced} events dropped; ${report.stored} are stored`;
      this.#application.warn({ code: "events_dropped", message }, "error");
    }
    if (report.queued > 0) this.#application.say("info", `closed with ${report.queued} events in the spool`);
    return report;
  }

  #track(name: string, context: EvaluationContext, details: TrackDetails): string | undefined {
    if (typeof name !== "string" || name === "" || name.length > SENDABLE.nameLength) {
      return `its name must be a text of 1-${SENDABLE.nameLength} characters`;
    }
    const unit = unitText(context?.targetingKey);
    if (unit === undefined) return "the context has no targetingKey";
    if (unit.length > SENDABLE.unitLength) return `its targetingKey is over ${SENDABLE.unitLength} characters`;
    const value = details?.value;
    if (value !== undefined && !(typeof value === "number" && Number.isFinite(value))) return "its value is no finite number";
    const given = details?.properties;
    const properties = given === undefined ? undefined : sendable(given);
    if (typeof properties === "string") return `its properties cannot be sent: ${properties}`;
    this.#sayLeftOut(`event ${name}`, properties);
    this.#ledger.record(name, unit, value, properties);
    return undefined;
  }

  #rejectEvent(name: unknown, problem: string): void {
    this.#ledger.reject();
    const label = typeof name === "string" ? name.slice(0, SENDABLE.nameLength) : typeof name;
    this.#application.warnOnce(`event ${label} ${problem}`, {
      code: "event_rejected",
      message: `event ${label} was not recorded: ${problem}`,
    });
  }

  #attributes(context: EvaluationContext): Sendable | undefined {
    const { contextAttributes } = this.#settings;
    if (contextAttributes.length === 0) return undefined;
    const attributes = sendableAttributes(context, contextAttributes);
    if (typeof attributes !== "string") {
      this.#sayLeftOut("an exposure", attributes);
      return attributes;
    }
    const message = `the context of an exposure was not recorded: ${attributes}`;
    this.#application.warnOnce(message, { code: "event_rejected", message });
    return undefined;
  }

  #sayLeftOut(what: string, sent: Sendable | undefined): void {
    const first = sent?.leftOut[0];
    if (first === undefined) return;
    const message = `${what} was recorded without all of its data (${first})`;
    this.#application.warnOnce(message, { code: "event_rejected", message });
  }

  /** Off the hot path: the default is served. Says once why, where the application could do something about it. */
  #missed(key: FlagKey, outcome: Outcome, expected: string): void {
    if (!this.#hasRules) return;
    if (outcome === UNKNOWN_FLAG) return;
    if (outcome === FIRST_MISS) {
      this.#unknownKey(key);
      return;
    }
    if (outcome === FIRST_MALFORMED) this.#sayDefects();
    if (outcome.value === undefined) return;
    const message = `flag ${key} is no ${expected}; the default is served`;
    this.#application.warnOnce(message, { code: "usage", message });
  }

  #unknownKey(key: unknown): void {
    if (typeof key !== "string") {
      const message = "a flag was asked for by a key that is no text; the default is served";
      this.#application.warnOnce(message, { code: "usage", message });
      return;
    }
    if (this.#unknownKeys.has(key) || this.#unknownKeys.size >= UNKNOWN_KEYS_MAX) return;
    this.#unknownKeys.add(key);
    // Later: comparing a key with twenty thousand others takes milliseconds, and somebody waits for this answer.
    this.#platform.timers.set(() => this.#sayUnknown(key.slice(0, KEY_LENGTH_MAX)), 0);
  }

  #sayUnknown(key: string): void {
    const nearest = nearestKey(key, this.#rules.keys());
    const hint = nearest === undefined ? "" : `; did you mean ${nearest}?`;
    this.#application.warn({ code: "usage", message: `there is no flag ${key}; the default is served${hint}` });
  }

  #exposed(exposure: ExposureSeen): void {
    const { onExposure } = this.#settings;
    if (onExposure !== undefined) this.#application.call(() => onExposure(exposure));
  }

  #adopt(snapshot: Snapshot): void {
    const before = this.#rules;
    this.#ledger.count(before.takeCounts());
    this.#rules = compile(snapshot, this.#settings.compile);
    this.#flags = this.#rules.flags;
    this.#hasRules = true;
    this.#settings.keeper?.adopted(snapshot);
    this.#swapped([...new Set([...before.keys(), ...this.#rules.keys()])]);
  }

  #apply(change: SnapshotChange): boolean {
    const keys = this.#rules.apply(change);
    if (keys === undefined) return false;
    this.#settings.keeper?.applied(change);
    this.#swapped(keys);
    return true;
  }

  #swapped(keys: readonly FlagKey[]): void {
    this.#receipts.swapped(this.#rules.revision);
    this.#sayDefects();
    this.#application.emit("change", { revision: this.#rules.revision, keys });
  }

  /** Of the flags compiled so far: on arrival those that had to be, the others as they are asked for. */
  #sayDefects(): void {
    for (const { flag, field, code, reason } of this.#rules.knownDefects()) {
      const why = [code, field, reason].filter((part) => part !== undefined && part !== "").join(", ");
      const message = `flag ${flag} is malformed and answers the caller's default (${why})`;
      this.#application.warnOnce(message, { code: "definition", message });
    }
  }

  #moved(sync: Sync): void {
    this.#isStale = sync.isStale;
    const state = stateOf(sync, this.#hasRules);
    if (state === this.#state) return;
    this.#state = state;
    if (state === "live") this.#saidFailure = undefined;
    this.#application.say("info", `is ${state}, revision ${this.revision}`);
    if (this.#isSettled()) this.#settle();
    this.#application.emit("state", state);
  }

  #isSettled(): boolean {
    return this.#state === "live" || this.#state === "offline" || this.#state === "closed";
  }

  #settle(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve(this.#state);
  }

  #connectionFailed(failure: Failure, waitMs: number): void {
    const message = `${failure.detail}; trying again in ${Math.round(waitMs)} ms`;
    // Once for each kind of trouble in an outage; the attempts after it are for those who debug.
    if (this.#saidFailure === failure.kind) {
      this.#application.say("debug", message);
      return;
    }
    this.#saidFailure = failure.kind;
    this.#application.warn({ code: "connection", message });
  }

  #offeredOlder(offered: Revision, held: Revision): void {
    const message = `the server offers revision ${offered}, older than ${held}; keeping what is held`;
    this.#application.warnOnce(message, { code: "connection", message });
  }

  #deliveryFailed(detail: string, waitMs: number | undefined): void {
    const message = waitMs === undefined ? detail : `${detail}; events are kept`;
    this.#application.warnOnce(`delivery ${detail}`, { code: "delivery", message });
  }

  #droppedEvents(reason: string): void {
    this.#application.warnOnce(`dropped ${reason}`, { code: "events_dropped", message: `events are being dropped: ${reason}` });
  }
}

/** A default's type, as `hasTypeOf` tells them apart, in a word for the log. */
function typeName(fallback: Json): string {
  if (Array.isArray(fallback)) return "list";
  return fallback === null ? "object or list" : typeof fallback;
}

function stateOf(sync: Sync, hasRules: boolean): ClientState {
  if (sync.state === "closed" || sync.state === "offline") return sync.state;
  if (!sync.isStale) return "live";
  return hasRules ? "stale" : "starting";
}
