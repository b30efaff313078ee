import { applyToSnapshot, hasTypeOf } from "@belay/core";
import { deciderOf, failure, type Outcome, pointOf } from "@belay/core/compact";
import type { EvaluationContext, Exposure, FlagKey, Json, Revision, Snapshot } from "@belay/protocol";
import { applicationOf, type ClientEvents, type ClientState, type Listener } from "./application.ts";
import { doorsOf } from "./door.ts";
import { type Follow, type Following, follow } from "./follow.ts";
import type { ClientOptions } from "./options.ts";
import { type DeliveryReport, type Outbox, outboxOf } from "./outbox.ts";
import { SDK } from "./version.ts";

/** The type of a default as the type of the answer: `value("pricing", "compact")` is a string, not only "compact". */
export type Widened<T extends Json> = T extends string ? string : T extends number ? number : T extends boolean ? boolean : T;

/** Decides in the page. Every call answers at once and none ever throws. */
export interface LeanClient {
  /** The boolean flag's value, or `fallback` (default `false`). */
  isEnabled(key: FlagKey, fallback?: boolean): boolean;
  /** The flag's value where it is of the default's type, else the default. */
  value<T extends Json>(key: FlagKey, fallback: T): Widened<T>;
  /** Another person, or more about the same one; flags answer for them from now on. */
  identify(context: EvaluationContext): void;
  on<Name extends keyof ClientEvents>(name: Name, listener: Listener<Name>): () => void;
  /** Resolves with the state once the server has confirmed the rules, or after `timeoutMs` (default 5,000). Never rejects. */
  ready(options?: { readonly timeoutMs?: number }): Promise<ClientState>;
  /** Sends everything there is; resolves with how it stands, after `timeoutMs` (default 5,000) at the latest. */
  flush(options?: { readonly timeoutMs?: number }): Promise<DeliveryReport>;
  /** Sends what is left and ends everything; decisions go on with the rules held. */
  close(): Promise<DeliveryReport>;
  report(): DeliveryReport;
  readonly state: ClientState;
  /** Revision of the rules in force; 0 before the first came. */
  readonly revision: Revision;
  /** The rules in force; without any flag before the first came. */
  readonly snapshot: Snapshot;
}

/** What the complete client is made of besides. */
export interface Inner {
  readonly context: EvaluationContext;
  /** What the caller is answered, neither counted nor recorded. */
  answer(key: FlagKey, fallback: Json): Outcome;
  /** As `answer`, counted and recorded. */
  noted(key: FlagKey, fallback: Json): Outcome;
  /** Brings other rules into force, or another context, and tells which flags now answer otherwise. */
  change(snapshot: Snapshot, context: EvaluationContext): void;
  readonly record: Outbox["record"] | undefined;
  warn(message: string): void;
}

export const NO_RULES: Snapshot = { format: 1, project: "", environment: "", revision: 0, spaces: {}, segments: {}, flags: {} };
const NOT_READY = failure("PROVIDER_NOT_READY");
const READY_TIMEOUT_MS = 5_000;
const SEEN_MAX = 10_000;
const UNIT_LENGTH_MAX = 1_024;

/**
 * As `createClient`, for pages that count bytes: decides, follows and records exposures, and has no `evaluate`, `peek`
 * and `track`.
 */
export function createLeanClient(options: ClientOptions = {}): LeanClient {
  return open(options, deciderOf, follow)[0];
}

/**
 * Makes a client and starts it.
 *
 * @param decider what makes a document decide for a context
 * @param follow what brings documents
 * @param attributesOf what of a context is recorded with its exposures
 */
export function open(
  options: ClientOptions,
  decider: typeof deciderOf,
  follow: Follow,
  attributesOf?: (context: EvaluationContext) => Exposure["attributes"],
): readonly [LeanClient, Inner] {
  const { url, clientKey, bootstrap, keeper, pollIntervalMs = 60_000, logger = console } = options;
  const { on, emit, warn } = applicationOf(logger);
  // On a server there is nobody to follow for: rendering decides with what it was given.
  const isOnline = url !== undefined && clientKey !== undefined && typeof document === "object";
  const name = `belay/${isOnline && pointOf(clientKey, url)}`;
  const kept = isOnline && !bootstrap ? keeper?.read(name) : undefined;
  const seen = new Set<string>();
  /** Outcomes whose exposure `seen` was asked about: telling that costs more than deciding. */
  const exposed = new WeakSet<Outcome>();
  let snapshot = kept ?? bootstrap ?? NO_RULES;
  /** The revision that came from the server: what came with the application gives way to its first answer, whatever that is. */
  let held = kept?.revision;
  let context = options.context ?? {};
  let decide = decider(snapshot, context);
  let state: ClientState = isOnline ? (snapshot === NO_RULES ? "starting" : "stale") : "offline";
  let staleTimer: ReturnType<typeof setTimeout> | undefined;

  let confirm = (): void => {};
  const confirmed = new Promise<void>((resolve) => {
    confirm = resolve;
  });

  const move = (next: ClientState): void => {
    if (next === state || state === "closed") return;
    state = next;
    if (state !== "stale") confirm();
    emit("state", () => state);
  };

  /** Other rules, or another context: tells which flags now answer otherwise. */
  const change = (nextSnapshot: Snapshot, nextContext: EvaluationContext): void => {
    const [{ flags }, before] = [snapshot, decide];
    const after = decider(nextSnapshot, nextContext);
    [snapshot, context, decide] = [nextSnapshot, nextContext, after];
    emit("change", () => ({
      revision: snapshot.revision,
      // Deciding all flags for two people takes as long as there are flags: only a listener that asks pays for it.
      get keys() {
        const all = Object.keys({ ...flags, ...nextSnapshot.flags });
        return all.filter((key) => JSON.stringify(before(key)) !== JSON.stringify(after(key)));
      },
    }));
  };

  /** Hiding may be the last that is heard of a page. */
  const look = (): void => {
    if (document.hidden) outbox?.leave();
    else following?.wake();
  };
  // A page with an open stream could not be kept for the way back.
  const leave = (): void => {
    following?.rest();
    outbox?.leave();
  };

  const listening = new AbortController();
  let outbox: Outbox | undefined;
  let following: Following | undefined;
  if (isOnline) {
    const ask = doorsOf(url);
    // Not `randomUUID`: a page without https has none.
    const instance = crypto.getRandomValues(new Uint32Array(4)).join("-");
    outbox = outboxOf(ask, { sdk: SDK, instance, sdkKey: clientKey }, warn);
    following = follow(ask, clientKey, Math.max(pollIntervalMs, 1_000), {
      held: () => held,
      take: (next) => {
        if (next.revision <= (held ?? -1)) return true;
        const isChange = "from" in next;
        if (isChange && next.from !== held) return false;
        const whole = isChange ? applyToSnapshot(snapshot, next) : next;
        held = whole.revision;
        change(whole, context);
        keeper?.write(name, whole);
        return true;
      },
      confirmed: (forMs) => {
        clearTimeout(staleTimer);
        staleTimer = setTimeout(() => move("stale"), forMs);
        move("live");
      },
      warn,
    });
    document.addEventListener("visibilitychange", look, listening);
    addEventListener("pagehide", leave, listening);
  }

  const expose = (flag: FlagKey, outcome: Outcome): void => {
    const { ruleId: rule, tracks } = outcome;
    if (!tracks || exposed.has(outcome) || state === "closed") return;
    exposed.add(outcome);
    const unit = tracks.unit();
    if (!unit || unit.length > UNIT_LENGTH_MAX) return;
    const met = JSON.stringify([tracks.arm, unit]);
    if (seen.has(met)) return;
    // Whoever is forgotten is exposed once more, and the server counts that once.
    if (seen.size >= SEEN_MAX) seen.clear();
    seen.add(met);
    outbox?.expose(tracks.arm, { flag, rule, revision: snapshot.revision, unit, attributes: attributesOf?.(context) });
  };

  /** The flag's outcome where its value is of the default's type, else the default with the reason why. */
  const answer = (key: FlagKey, fallback: Json): Outcome => {
    const outcome = snapshot === NO_RULES ? NOT_READY : decide(key);
    const { value } = outcome;
    if (value !== undefined && hasTypeOf(value, fallback)) return outcome;
    const { reason, errorCode } = value === undefined ? outcome : failure("TYPE_MISMATCH");
    if (errorCode && outcome !== NOT_READY) warn(`flag ${key} defaults: ${errorCode}`);
    return { value: fallback, reason, errorCode };
  };

  const noted = (asked: FlagKey, fallback: Json): Outcome => {
    // No flag has the empty key, and what is no text may throw when it is made one.
    const key = typeof asked === "string" ? asked : "";
    const outcome = answer(key, fallback);
    outbox?.count(key, outcome.variant);
    expose(key, outcome);
    return outcome;
  };

  const value: LeanClient["value"] = (key, fallback) => noted(key, fallback).value as never;

  const client: LeanClient = {
    isEnabled: (key, fallback = false) => value(key, fallback),
    value,
    identify: (next) => change(snapshot, next),
    on,
    ready: async ({ timeoutMs = READY_TIMEOUT_MS } = {}) => {
      if (isOnline) await Promise.race([confirmed, new Promise((resolve) => setTimeout(resolve, timeoutMs))]);
      return state;
    },
    flush: async ({ timeoutMs = READY_TIMEOUT_MS } = {}) => {
      await outbox?.flush(timeoutMs);
      return client.report();
    },
    close: async () => {
      following?.close();
      clearTimeout(staleTimer);
      move("closed");
      const report = await client.flush();
      outbox?.close();
      listening.abort();
      return report;
    },
    report: () => outbox?.report() ?? { produced: 0, stored: 0, dropped: 0, queued: 0 },
    get state() {
      return state;
    },
    get revision() {
      return snapshot.revision;
    },
    get snapshot() {
      return snapshot;
    },
  };
  const inner: Inner = {
    get context() {
      return context;
    },
    answer,
    noted,
    change,
    record: outbox?.record,
    warn,
  };
  return [client, inner];
}
