/*
 * The ledger of servers that share a change log and keep events each of its own: what each of them has is told to all.
 *
 *   own events ── every few seconds ──> lines ──> store <── lines of the others
 *                                                   │
 *   ledger(query) = own lines now + theirs as last told, by instance and arm
 *
 * A server that was restored from another one's backup has that one's events too: it says so of what the other one told.
 *
 *   told by a ── its heir b starts ──> told by a, passed to b: what was made counts, what arrived counts at b
 *       ^                                  │
 *       └── a hears it: it is still there ─┘
 */
import type { EpochMs } from "@belay/protocol";
import type { EventStore, LedgerLine } from "../store/events/index.ts";
import type { LedgerStore, ToldLedger } from "../store/ledgers/index.ts";
import { boundedLines, linesLeft, mergedLines } from "./merged-lines.ts";

/** Another server whose numbers are in an answer. */
export interface OtherServer {
  readonly server: string;
  /** When it last told them. */
  readonly at: EpochMs;
}

export interface Place {
  readonly project: string;
  readonly environment: string;
}

export interface GatheredLedgerOptions {
  readonly events: Pick<EventStore, "ledger" | "estimate" | "status">;
  readonly store: LedgerStore;
  /** What this server is called among the others, also after a restart. */
  readonly server: string;
  /** Servers of whose backup this one was restored, and `settle`, called once the others know; absent where there are none. */
  readonly inheritance?: { readonly from: readonly string[]; readonly settle: () => Promise<void> };
  /** Projects with the names of their environments. */
  readonly projects: () => ReadonlyMap<string, readonly string[]>;
  readonly now: () => EpochMs;
  /** Told when the events or the store are away; the next turn tries again. */
  readonly onFault: (error: unknown) => void;
  /** Shortest time between turns; 2 s. A turn that takes long is followed by a longer rest, half a minute at most. */
  readonly restMs?: number;
}

/** A server remembers instances for so long; what it told before then says nothing any more of who is silent. */
const REMEMBERED_MS = 7 * 86_400_000;
/** Whoever was not heard of for so long has no events that anybody could be told of. */
const FORGOTTEN_MS = 400 * 86_400_000;
/** Also without news: by then somebody fell silent, and the others see that this server is there. */
const ANYWAY_MS = 600_000;
const REST_MAX_MS = 30_000;
/** A turn takes one part in so many of the time. */
const REST_FACTOR = 20;
const LINES_MAX = 2_000;

export class GatheredLedger {
  readonly #options: GatheredLedgerOptions;
  /** What the others told, by project. */
  #others: ReadonlyMap<string, readonly ToldLedger[]> = new Map();
  /** Environments of which there is something told by this server. */
  #own: ReadonlySet<string> = new Set();
  #told = NOTHING_TOLD;
  #hasInherited = false;
  #turn: Promise<void> = Promise.resolve();
  #rest: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: GatheredLedgerOptions) {
    this.#options = options;
    void this.#go();
  }

  /** As `EventStore.ledger`, of all servers together. */
  async ledger(query: Parameters<EventStore["ledger"]>[0]): Promise<readonly LedgerLine[]> {
    const own = await this.#options.events.ledger(query);
    const { project, environments, experiment, release } = query;
    const isAsked = (line: LedgerLine): boolean =>
      (environments === undefined || environments.includes(line.environment)) &&
      (experiment === undefined || line.experiment === experiment) &&
      (release === undefined || line.release === release);
    return mergedLines([...own, ...this.#remembered(project).flatMap(({ lines }) => lines.filter(isAsked))]);
  }

  /** The servers whose lines are in the ledger of an environment, beside this one's. */
  inLedger({ project, environment }: Place): readonly OtherServer[] {
    const told = this.#remembered(project).filter((one) => one.environment === environment && one.lines.length > 0);
    return told.map(({ server, at }) => ({ server, at }));
  }

  /** The servers that have events of an environment, or of any: what is read from events here does not show them. */
  elsewhere({ project, environment }: Pick<Place, "project"> & Partial<Place>): readonly string[] {
    const told = (this.#others.get(project) ?? []).filter(
      (one) => (environment === undefined || one.environment === environment) && hasEvents(one),
    );
    return [...new Set(told.map(({ server }) => server))];
  }

  /** Tells the others what is known here, where there is news, and reads what they told. Turns come one after another. */
  turn(): Promise<void> {
    this.#turn = this.#turn.then(() => this.#exchange()).catch(this.#options.onFault);
    return this.#turn;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#rest);
    await this.#turn;
    await this.#options.store.close();
  }

  async #go(): Promise<void> {
    const begunAt = performance.now();
    await this.turn();
    if (this.#isClosed) return;
    const tookMs = performance.now() - begunAt;
    const restMs = Math.min(REST_MAX_MS, Math.max(this.#options.restMs ?? 2_000, REST_FACTOR * tookMs));
    this.#rest = setTimeout(() => void this.#go(), restMs).unref();
  }

  async #exchange(): Promise<void> {
    const { events, now, projects, store } = this.#options;
    const { accepted } = events.status();
    const isDue = accepted !== this.#told.accepted || now() - this.#told.at >= ANYWAY_MS;
    if (isDue) {
      const at = now();
      for (const [project, environments] of projects()) await this.#tell(project, environments, at);
      await store.forget(at - FORGOTTEN_MS);
      this.#told = { at, accepted };
    }
    await this.#inherit();
    await this.#hear();
  }

  /** After this server told what it has: there is no moment at which it counts nowhere. */
  async #inherit(): Promise<void> {
    const { inheritance, projects, server, store } = this.#options;
    if (inheritance === undefined || this.#hasInherited) return;
    for (const project of projects().keys()) {
      const told = await store.of(project);
      const before = heirsAmong(told, inheritance.from);
      for (const one of told) if (one.server !== server && before.has(one.server)) await store.pass(one, server);
    }
    await inheritance.settle();
    this.#hasInherited = true;
  }

  async #tell(project: string, environments: readonly string[], at: EpochMs): Promise<void> {
    const { events, server, store } = this.#options;
    const lines = await events.ledger({ project });
    for (const environment of environments) {
      const { rows: metricEvents } = await events.estimate({ kind: "metrics", project, environments: [environment] });
      const own = lines.filter((line) => line.environment === environment);
      const told = { server, project, environment, at, metricEvents, lines: [] };
      if (own.length > 0 || hasEvents(told) || this.#own.has(`${project}/${environment}`)) {
        await store.put({ ...told, lines: boundedLines(own, { server, now: at, max: LINES_MAX }) });
      }
    }
  }

  async #hear(): Promise<void> {
    const { projects, server, store } = this.#options;
    const others = new Map<string, readonly ToldLedger[]>();
    const own = new Set<string>();
    for (const project of projects().keys()) {
      const told = await store.of(project);
      others.set(project, told.filter((one) => one.server !== server).map(asPassed));
      for (const { environment, heir } of told.filter((one) => one.server === server)) {
        own.add(`${project}/${environment}`);
        // Somebody else was restored from a backup of this server, which is there all the same: it says so in the next turn.
        if (heir !== undefined) this.#told = NOTHING_TOLD;
      }
    }
    this.#others = others;
    this.#own = own;
  }

  #remembered(project: string): readonly ToldLedger[] {
    const since = this.#options.now() - REMEMBERED_MS;
    return (this.#others.get(project) ?? []).filter(({ at }) => at >= since);
  }
}

const NOTHING_TOLD = { at: Number.NEGATIVE_INFINITY, accepted: -1 };

/** These servers and all who inherited from them: of one backup a second server may have been made where the first failed. */
function heirsAmong(told: readonly ToldLedger[], servers: readonly string[]): ReadonlySet<string> {
  const heirs = new Set(servers);
  // A set is walked to its end with what is added on the way.
  for (const server of heirs) {
    for (const one of told) if (one.server === server && one.heir !== undefined) heirs.add(one.heir);
  }
  return heirs;
}

function asPassed(told: ToldLedger): ToldLedger {
  if (told.heir === undefined) return told;
  return { ...told, lines: linesLeft(told.lines, told.server), metricEvents: 0 };
}

function hasEvents({ lines, metricEvents }: Pick<ToldLedger, "lines" | "metricEvents">): boolean {
  return metricEvents > 0 || lines.some(({ stored }) => stored > 0);
}
