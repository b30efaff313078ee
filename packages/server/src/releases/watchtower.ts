/**
 * Watches over every live release of this server: fed with acknowledged batches, rebuilt from the event store after a
 * restart, judged at every flush.
 *
 *   batch acknowledged ──(next turn of the loop)──> watches of its environment ──> judged ──> a verdict changed: told at once
 *   restart ──> pull what the store has ──> pull what came meanwhile ──> what is still in hand ──> ready
 */
import type { EpochMs, Json } from "@belay/protocol";
import type { ControlPlane } from "../control/control-plane.ts";
import type { ReleaseDocument } from "../state/workspace.ts";
import type { EventQuery, EventStore, IncomingBatch } from "../store/events/index.ts";
import { epochsOf } from "./gather.ts";
import { type Reading, ReleaseWatch } from "./guardrails.ts";
import { isLive } from "./states.ts";

/** Which release. */
export interface ReleaseId {
  readonly project: string;
  readonly environment: string;
  readonly key: string;
}

export interface WatchtowerOptions {
  readonly control: Pick<ControlPlane, "workspace" | "onCommit">;
  readonly events: Pick<EventStore, "pull">;
  readonly now: () => EpochMs;
  /** Told when a guardrail's verdict changed, with the time the deciding batch was received. */
  readonly onVerdict: (id: ReleaseId, detectedAt: EpochMs) => void;
  /** Told when the store would not give what a watch is rebuilt from; it is asked again. */
  readonly onFault: (error: unknown, id: ReleaseId) => void;
}

interface Post {
  readonly id: ReleaseId;
  readonly watch: ReleaseWatch;
  release: ReleaseDocument;
  /** Batches that came while it is being rebuilt; absent once it is ready. */
  pending: IncomingBatch[] | undefined;
  verdicts: string;
  /** As last judged; absent once something was counted since. */
  reading: Reading | undefined;
}

/** Beyond so many batches in hand a rebuild reads once more from the store instead. */
const PENDING_MAX = 2_000;
const RETRY_MS = 10_000;

export class Watchtower {
  readonly #options: WatchtowerOptions;
  readonly #posts = new Map<string, Map<string, Post>>();
  readonly #retries = new Set<NodeJS.Timeout>();
  #isClosed = false;

  constructor(options: WatchtowerOptions) {
    this.#options = options;
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

  close(): void {
    this.#isClosed = true;
    for (const retry of this.#retries) clearTimeout(retry);
    this.#posts.clear();
  }

  #see(id: ReleaseId, release: ReleaseDocument, isOld: boolean): void {
    const place = placeOf(id);
    const posts = this.#posts.get(place) ?? new Map<string, Post>();
    const known = posts.get(id.key);
    if (!isLive(release.state)) {
      posts.delete(id.key);
      if (posts.size === 0) this.#posts.delete(place);
      return;
    }
    if (known !== undefined) {
      known.release = release;
      known.watch.follow(epochsOf(release));
      known.reading = undefined;
      return;
    }
    const post: Post = {
      id,
      release,
      watch: this.#watchOf(id, release),
      pending: isOld ? [] : undefined,
      verdicts: quiet(release),
      reading: undefined,
    };
    posts.set(id.key, post);
    this.#posts.set(place, posts);
    if (isOld) void this.#rebuild(post);
  }

  #watchOf({ project }: ReleaseId, release: ReleaseDocument): ReleaseWatch {
    const salt = this.#options.control.workspace.projects.get(project)?.flags.get(release.flag)?.body.spaces.share.salt ?? "";
    return new ReleaseWatch({ salt, guardrails: release.guardrails, epochs: epochsOf(release) });
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
    for await (const row of this.#rows({ ...base, kind: "exposures", release: key })) {
      const exposure = { unit: String(row["unit"]), epoch: Number(row["epoch"]) };
      watch.noteExposure(exposure, row["variant"] === release.variant, receivedAt(row));
    }
    for (const name of watch.events) {
      for await (const row of this.#rows({ ...base, kind: "metrics", name })) {
        const value = row["value"];
        watch.noteMetric({ name, unit: String(row["unit"]), ...(typeof value === "number" ? { value } : {}) }, receivedAt(row));
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
  for (const exposure of exposures) {
    if (exposure.release === id.key) watch.noteExposure(exposure, exposure.variant === release.variant, receivedAtMs);
  }
  let isCounted = false;
  for (const event of metrics) isCounted = watch.noteMetric(event, receivedAtMs) || isCounted;
  return isCounted;
}

function receivedAt(row: { readonly [column: string]: Json }): EpochMs {
  return Date.parse(String(row["received_at"]));
}

function placeOf({ project, environment }: { readonly project: string; readonly environment: string }): string {
  return `${project}/${environment}`;
}
