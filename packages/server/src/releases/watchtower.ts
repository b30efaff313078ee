/**
 * Watches over every live release of this server: fed with acknowledged batches, rebuilt from the event store after a
 * restart, judged at every flush.
 *
 *   batch acknowledged ──(next turn of the loop)──> watches of its environment ──> judged ──> a verdict changed: told at once
 *                              └──> what was counted, to the other servers' watches; what they counted, judged here
 *   restart ──> what the others know ──> pull what the store has ──> pull what came meanwhile ──> what is still in hand ──> ready
 */
import type { EpochMs, Json } from "@belay/protocol";
import type { ControlPlane } from "../control/control-plane.ts";
import type { ReleaseDocument } from "../state/workspace.ts";
import type { EventQuery, EventStore, IncomingBatch } from "../store/events/index.ts";
import { trackedAs } from "./document.ts";
import { Exchange, type ExchangeOptions } from "./exchange.ts";
import { epochsOf } from "./gather.ts";
import { type HeardEvent, type Reading, ReleaseWatch } from "./guardrails.ts";
import { armOf, onLine, placementOf } from "./placement.ts";
import { newestOf, type Sighting } from "./sighting.ts";
import { isLive } from "./states.ts";

/** Which release. */
export interface ReleaseId {
  readonly project: string;
  readonly environment: string;
  readonly key: string;
}

/** A name no other release has, in any project. */
export function nameOf({ project, environment, key }: ReleaseId): string {
  return `${project}/${environment}/${key}`;
}

export interface WatchtowerOptions {
  readonly control: Pick<ControlPlane, "workspace" | "onCommit">;
  readonly events: Pick<EventStore, "pull">;
  readonly now: () => EpochMs;
  /** Told when a guardrail's verdict changed, with the time the deciding batch was received. */
  readonly onVerdict: (id: ReleaseId, detectedAt: EpochMs) => void;
  /** Told when the store would not give what a watch is rebuilt from; it is asked again. */
  readonly onFault: (error: unknown, id: ReleaseId | undefined) => void;
  /** Where other servers watch too: what they counted, and what this one did. */
  readonly sharing?: Pick<ExchangeOptions, "store" | "writer" | "everyMs" | "paceMs" | "waitingMax">;
}

interface Post {
  readonly id: ReleaseId;
  /** Names this start of the release among servers. */
  readonly run: string;
  watch: ReleaseWatch;
  release: ReleaseDocument;
  /** Batches that came while it is being rebuilt; absent once it is ready. */
  pending: IncomingBatch[] | undefined;
  verdicts: string;
  /** As last judged; absent once something was counted since. */
  reading: Reading | undefined;
  /** When the others were last told that something is heard here. */
  toldAt: EpochMs;
}

/** Beyond so many batches in hand a rebuild reads once more from the store instead. */
const PENDING_MAX = 2_000;
const RETRY_MS = 10_000;
/** A guardrail's patience holds so many tellings that something is heard: one may be late. */
const TELLINGS = 4;
const TELLING_MAX_MS = 60_000;

export class Watchtower {
  readonly #options: WatchtowerOptions;
  readonly #posts = new Map<string, Map<string, Post>>();
  readonly #retries = new Set<NodeJS.Timeout>();
  readonly #exchange: Exchange | undefined;
  #isClosed = false;

  constructor(options: WatchtowerOptions) {
    this.#options = options;
    const { sharing, now } = options;
    this.#exchange =
      sharing === undefined
        ? undefined
        : new Exchange({
            ...sharing,
            now,
            onSightings: (run, sightings) => this.#hear(run, sightings),
            onOverflow: (run) => this.#anew(run),
            onFault: (error) => options.onFault(error, undefined),
          });
    for (const [project, { environments }] of options.control.workspace.projects) {
      for (const [environment, { releases }] of environments) {
        for (const [key, { body }] of releases) this.#see({ project, environment, key }, body, true);
      }
    }
    options.control.onCommit(({ projects }, { documents }) => {
      for (const { kind, project = "", environment = "", key } of documents) {
        const body =
          kind === "release" ? projects.get(project)?.environments.get(environment)?.releases.get(key)?.body : undefined;
        if (body !== undefined) this.#see({ project, environment, key }, body, false);
      }
    });
  }

  /** A batch was acknowledged. Returns at once; it is counted on the next turn of the loop, so that it delays no answer. */
  take(batch: IncomingBatch): void {
    if (this.#posts.has(placeOf(batch))) setImmediate(() => this.count(batch));
  }

  /** Counts a batch and judges what it touched. */
  count(batch: IncomingBatch): void {
    for (const post of this.#posts.get(placeOf(batch))?.values() ?? []) {
      if (post.pending !== undefined) post.pending.push(batch);
      else if (feed(post, batch)) this.#judge(post, batch.receivedAtMs);
      this.#tellHeard(post);
    }
  }

  /** What is known of a release; `undefined` while it is being rebuilt, and for one that is not live. */
  reading({ key, ...place }: ReleaseId): Reading | undefined {
    const post = this.#posts.get(placeOf(place))?.get(key);
    return post === undefined || post.pending !== undefined ? undefined : read(post);
  }

  /** Live releases nobody watches: always none. */
  uncovered(): ReleaseId[] {
    const live: ReleaseId[] = [];
    for (const [project, { environments }] of this.#options.control.workspace.projects) {
      for (const [environment, { releases }] of environments) {
        for (const [key, { body }] of releases) if (isLive(body.state)) live.push({ project, environment, key });
      }
    }
    return live.filter(({ key, ...place }) => this.#posts.get(placeOf(place))?.has(key) !== true);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const retry of this.#retries) clearTimeout(retry);
    this.#posts.clear();
    await this.#exchange?.close();
  }

  #see(id: ReleaseId, release: ReleaseDocument, isOld: boolean): void {
    const place = placeOf(id);
    const posts = this.#posts.get(place) ?? new Map<string, Post>();
    const known = posts.get(id.key);
    if (!isLive(release.state)) {
      posts.delete(id.key);
      if (posts.size === 0) this.#posts.delete(place);
      if (known !== undefined) void this.#exchange?.end(known.run);
      return;
    }
    if (known !== undefined) {
      known.release = release;
      known.watch.follow(epochsOf(release));
      known.reading = undefined;
      return;
    }
    // Where others watch too, it may have started at one of them some time ago.
    const isBehind = isOld || this.#exchange !== undefined;
    const run = `${place}/${id.key}@${release.startedAt ?? release.createdAt}`;
    const post: Post = {
      id,
      run,
      release,
      watch: this.#watchOf(id, run, release),
      pending: isBehind ? [] : undefined,
      verdicts: quiet(release),
      reading: undefined,
      toldAt: 0,
    };
    posts.set(id.key, post);
    this.#posts.set(place, posts);
    if (isBehind) void this.#rebuild(post);
  }

  #watchOf({ project }: ReleaseId, run: string, release: ReleaseDocument): ReleaseWatch {
    const state = this.#options.control.workspace.projects.get(project);
    const placement = state === undefined ? onLine("") : placementOf(state, release);
    const watch = { placement, guardrails: release.guardrails, epochs: epochsOf(release) };
    const exchange = this.#exchange;
    if (exchange === undefined) return new ReleaseWatch(watch);
    return new ReleaseWatch({ ...watch, onSighting: (sighting, isUrgent) => exchange.add(run, sighting, isUrgent) });
  }

  /** Other servers counted something. */
  #hear(run: string, sightings: readonly Sighting[]): void {
    const post = this.#postOf(run);
    if (post === undefined) return;
    post.reading = undefined;
    let isCounted = false;
    for (const sighting of sightings) isCounted = post.watch.noteSighting(sighting) || isCounted;
    if (isCounted && post.pending === undefined) this.#judge(post, newestOf(sightings) ?? this.#options.now());
  }

  /** More was counted than could be told: all of it is counted, and told, once more. */
  #anew(run: string): void {
    const post = this.#postOf(run);
    if (post === undefined || post.pending !== undefined) return;
    post.watch = this.#watchOf(post.id, run, post.release);
    post.pending = [];
    void this.#rebuild(post);
  }

  #postOf(run: string): Post | undefined {
    for (const posts of this.#posts.values()) {
      for (const post of posts.values()) if (post.run === run) return post;
    }
    return undefined;
  }

  /** Units that were counted are no news; that they are still heard of is, now and then, to who minds silence. */
  #tellHeard(post: Post): void {
    const { now } = this.#options;
    const patienceMs = 1_000 * Math.min(...post.release.guardrails.map(({ staleAfterS }) => staleAfterS));
    if (this.#exchange === undefined || now() - post.toldAt < Math.min(TELLING_MAX_MS, patienceMs / TELLINGS)) return;
    post.toldAt = now();
    this.#exchange.add(post.run, post.watch.heard, false);
  }

  #judge(post: Post, detectedAt: EpochMs): void {
    const { guardrails } = read(post);
    const verdicts = guardrails.map(({ verdict }) => verdict).join();
    if (verdicts === post.verdicts) return;
    post.verdicts = verdicts;
    this.#options.onVerdict(post.id, detectedAt);
  }

  async #rebuild(post: Post): Promise<void> {
    try {
      await this.#exchange?.open(post.run).catch((error) => this.#options.onFault(error, post.id));
      // A long first read lets events gather behind it; the second is short, and what comes during that one is in hand.
      await this.#replay(post);
      do {
        post.pending = [];
        await this.#replay(post);
      } while (post.pending.length > PENDING_MAX);
      const gathered = post.pending;
      post.pending = undefined;
      post.reading = undefined;
      for (const batch of gathered) feed(post, batch);
      this.#judge(post, this.#options.now());
    } catch (error) {
      if (this.#isClosed) return;
      this.#options.onFault(error, post.id);
      const retry = setTimeout(() => {
        this.#retries.delete(retry);
        void this.#rebuild(post);
      }, RETRY_MS).unref();
      this.#retries.add(retry);
    }
  }

  /** Reads everything since the start; what was read before changes nothing. */
  async #replay({ id: { project, environment, key }, release, watch }: Post): Promise<void> {
    const base = { project, environments: [environment], fromMs: Date.parse(release.startedAt ?? release.createdAt) };
    for await (const row of this.#rows({ ...base, kind: "exposures", ...trackedAs(key, release) })) {
      const exposure = { unit: String(row["unit"]), epoch: Number(row["epoch"]) };
      watch.noteExposure(exposure, armOf(release, String(row["variant"])), receivedAt(row));
    }
    for (const name of watch.events) {
      for await (const row of this.#rows({ ...base, kind: "metrics", name })) {
        watch.noteMetric(heardEvent(name, row), receivedAt(row));
      }
    }
  }

  async *#rows(query: EventQuery): AsyncGenerator<{ readonly [column: string]: Json }> {
    const { pages } = await this.#options.events.pull({ ...query, format: "ndjson" });
    const decoder = new TextDecoder();
    let rest = "";
    for await (const page of pages) {
      const lines = (rest + decoder.decode(page, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) if (line !== "") yield JSON.parse(line);
      if (this.#isClosed) return;
    }
    if (rest !== "") yield JSON.parse(rest);
  }
}

/** What a watch says before anything was counted. */
function quiet({ guardrails }: ReleaseDocument): string {
  return guardrails.map(() => "quiet").join();
}

/** Judges what was counted since the last time. */
function read(post: Post): Reading {
  post.reading ??= post.watch.read();
  return post.reading;
}

/** Brings a batch to a watch; whether a guardrail counted something. */
function feed(post: Post, { exposures, metrics, receivedAtMs }: IncomingBatch): boolean {
  const { id, watch, release } = post;
  post.reading = undefined;
  const own = trackedAs(id.key, release);
  for (const exposure of exposures) {
    const isOwn = "experiment" in own ? exposure.experiment === own.experiment : exposure.release === own.release;
    if (isOwn) watch.noteExposure(exposure, armOf(release, exposure.variant), receivedAtMs);
  }
  let isCounted = false;
  for (const event of metrics) isCounted = watch.noteMetric(event, receivedAtMs) || isCounted;
  return isCounted;
}

/** A metric event as a pull gave it back. */
function heardEvent(name: string, { unit, value, properties }: { readonly [column: string]: Json }): HeardEvent {
  return {
    name,
    unit: String(unit),
    ...(typeof value === "number" ? { value } : {}),
    ...(isObject(properties) ? { properties } : {}),
  };
}

function isObject(json: Json | undefined): json is { readonly [name: string]: Json } {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}

function receivedAt(row: { readonly [column: string]: Json }): EpochMs {
  return Date.parse(String(row["received_at"]));
}

function placeOf({ project, environment }: { readonly project: string; readonly environment: string }): string {
  return `${project}/${environment}`;
}
