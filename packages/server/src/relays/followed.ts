import { Connection, SYNC_TIMINGS, type SyncTimings } from "@belay/core/client";
import { type FlagKey, RELAYS_IN_A_ROW_MAX, type RelayBrief, type Revision, type SnapshotChange } from "@belay/protocol";
import { Feed, type PublishOptions } from "../snapshots/feed.ts";
import { type LiveSnapshot, liveSnapshot, snapshotAfter, type Touched } from "../state/snapshots.ts";
import { BriefedFeed } from "./briefed-feed.ts";
import { type Known, LastKnownGood } from "./last-known-good.ts";
import { Pages } from "./pages.ts";
import type { Upstream } from "./upstream.ts";

export interface FollowedOptions {
  readonly upstream: Pick<Upstream, "stream" | "poll">;
  /** This relay's name in paths. */
  readonly relay: string;
  /** Where the last known good is kept. */
  readonly directory: string;
  readonly random: () => number;
  /** Told after a brief changed who is let in, and after each revision. */
  readonly onBrief: (followed: Followed) => void;
  readonly onRevision: (followed: Followed) => void;
  /** What does not go as it should, in words. */
  readonly onFault: (detail: string) => void;
}

/** Thousands of SDKs wait behind one relay: it comes back sooner than any of them would, and may, being one. */
const TIMINGS: SyncTimings = {
  ...SYNC_TIMINGS,
  pollIntervalMs: 2_000,
  brisk: { floorMs: 0, baseMs: 250, maxMs: 5_000 },
  slow: { floorMs: 2_000, baseMs: 5_000, maxMs: 30_000 },
  streamAgain: { floorMs: 500, baseMs: 1_000, maxMs: 10_000 },
  hintMaxMs: 500,
  budget: { attempts: 60, windowMs: 60_000 },
};

/**
 * One environment as its upstream has it: the rules, whom to let in, what pages may see. Held in memory and in a file, so
 * that a relay starts with its upstream away; what is held never falls.
 */
export class Followed {
  readonly #options: FollowedOptions;
  readonly #connection: Connection;
  readonly #file: LastKnownGood;
  #brief: RelayBrief | undefined;
  /** The flags that pages may see, as the brief has it. */
  #visible: ReadonlySet<FlagKey> = new Set();
  /** The snapshot of now, which the feed of servers shows. */
  #live: LiveSnapshot | undefined;
  #server: Feed | undefined;
  #pages: Pages | undefined;
  #briefed: BriefedFeed | undefined;
  #fault: string | undefined;

  private constructor(options: FollowedOptions, file: LastKnownGood, known: Known | undefined) {
    this.#options = options;
    this.#file = file;
    if (known !== undefined) {
      this.#take(known.brief);
      this.#show(liveSnapshot(known.snapshot), {});
    }
    const { upstream } = options;
    const transport = {
      stream: (after: Revision | undefined, hear: Parameters<Upstream["stream"]>[1]) =>
        upstream.stream(after, hear, (brief) => this.#hear(brief)),
      poll: (holding: Revision | undefined, hear: Parameters<Upstream["poll"]>[1]) =>
        upstream.poll(holding, hear, (brief) => this.#hear(brief)),
    };
    this.#connection = new Connection(
      { clock: { monotonic: () => performance.now() }, timers: { set: setTimer }, random: options.random, transport },
      TIMINGS,
      {
        adopt: (snapshot) => {
          const live = liveSnapshot(snapshot);
          this.#keep((known) => this.#file.keep(known), live);
          // Clients get all of it too: one that comes from elsewhere may hold something else under its number.
          this.#advance(live, { isWhole: true });
        },
        apply: (change) => {
          if (this.#live === undefined) return false;
          const live = snapshotAfter(this.#live, change);
          this.#keep((known) => this.#file.add({ change }, known), live);
          this.#advance(live, { touched: touchedBy(change) });
          return true;
        },
        moved: ({ state, mode, failures }) => {
          if (state === "streaming" || (mode === "poll" && failures === 0)) this.#fault = undefined;
        },
        failed: ({ detail }) => this.#tell(detail),
        offeredOlder: (offered, held) => this.#tell(`the upstream is at revision ${offered}, and ${held} was served here`),
      },
      { isOffline: false, revision: this.revision, isProvisional: false },
    );
  }

  /** Reads what was last known and begins to follow. */
  static async open(options: FollowedOptions): Promise<Followed> {
    const { file, known } = await LastKnownGood.open(options.directory);
    const followed = new Followed(options, file, known);
    if (followed.#brief !== undefined) options.onBrief(followed);
    followed.#connection.start();
    return followed;
  }

  get brief(): RelayBrief | undefined {
    return this.#brief;
  }

  /** 0 before anything is held. */
  get revision(): Revision {
    return this.#server?.revision ?? 0;
  }

  /** What goes to servers; absent before anything is held. */
  get server(): Feed | undefined {
    return this.#server;
  }

  /** What goes to pages, made when it is first asked for. */
  get client(): Feed | undefined {
    if (this.#live !== undefined) this.#pages ??= new Pages(this.#live, this.#visible);
    return this.#pages?.feed;
  }

  /** What goes to further relays. */
  get briefed(): BriefedFeed | undefined {
    if (this.#briefed === undefined && this.#server !== undefined && this.#brief !== undefined) {
      this.#briefed = new BriefedFeed(this.#server, this.#passedOn(this.#brief));
    }
    return this.#briefed;
  }

  /** For how long the upstream was not heard to confirm what is held. */
  get silentMs(): number {
    const { confirmedMs } = this.#connection.sync;
    return Math.max(0, performance.now() - confirmedMs);
  }

  /** Why it does not follow just now; `undefined` where it does. */
  get fault(): string | undefined {
    return this.#fault;
  }

  close(): void {
    this.#connection.close();
  }

  #hear(brief: RelayBrief): string | undefined {
    const { relay } = this.#options;
    if (brief.path.includes(relay)) return `its upstream follows this very relay (${[...brief.path, relay].join(" > ")})`;
    if (brief.path.length >= RELAYS_IN_A_ROW_MAX) return `more than ${RELAYS_IN_A_ROW_MAX} relays in a row`;
    this.#take(brief);
    this.#briefed?.renew(this.#passedOn(brief));
    this.#options.onBrief(this);
    if (this.#live !== undefined) this.#keep((known) => this.#file.add({ brief }, known), this.#live);
    return undefined;
  }

  #take(brief: RelayBrief): void {
    this.#brief = brief;
    this.#visible = new Set(brief.clientFlags);
  }

  #passedOn(brief: RelayBrief): RelayBrief {
    return { ...brief, path: [...brief.path, this.#options.relay] };
  }

  #advance(live: LiveSnapshot, how: PublishOptions): void {
    this.#show(live, how);
    this.#options.onRevision(this);
  }

  #show(live: LiveSnapshot, how: PublishOptions): void {
    if (this.#server === undefined) this.#server = new Feed(live);
    // What was served under a number stays what it is.
    else if (!this.#server.publish(live, how)) return;
    this.#live = live;
    this.#pages?.advance(live, this.#visible, how);
  }

  /** A disk that fails keeps nobody from being served. */
  #keep(write: (known: Known) => void, live: LiveSnapshot): void {
    if (this.#brief === undefined) return;
    try {
      write({
        brief: this.#brief,
        // All of it is made only where all of it is written.
        get snapshot() {
          return live.whole;
        },
      });
    } catch (error) {
      this.#options.onFault(`what is known cannot be kept: ${String(error)}`);
    }
  }

  /** Once for as long as it is the same. */
  #tell(detail: string): void {
    if (this.#fault !== detail) this.#options.onFault(detail);
    this.#fault = detail;
  }
}

/** What a change can have changed: comparing costs no more than that. */
function touchedBy({ flags, segments, spaces }: SnapshotChange): Touched {
  const hasAny = (table: object): boolean => Object.keys(table).length > 0;
  return { flags: new Set(Object.keys(flags)), segments: hasAny(segments), spaces: hasAny(spaces) };
}

function setTimer(callback: () => void, afterMs: number): () => void {
  const timer = setTimeout(callback, afterMs).unref();
  return () => clearTimeout(timer);
}
