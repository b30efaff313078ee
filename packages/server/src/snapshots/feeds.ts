import { clientSnapshot } from "@belay/core";
import type { SdkKeyKind } from "@belay/protocol";
import type { ControlPlane } from "../control/control-plane.ts";
import { settledBy } from "../control/overlay.ts";
import { LiveSnapshot, type Touched } from "../state/snapshots.ts";
import type { Workspace } from "../state/workspace.ts";
import type { DocumentWrite } from "../store/changes/index.ts";
import { Feed } from "./feed.ts";

/** Where an SDK reads. */
export interface FeedId {
  readonly project: string;
  readonly environment: string;
  readonly kind: SdkKeyKind;
}

/** Where doors find what they send. */
export interface FeedSource {
  /** The feed of an environment; `undefined` where there is no such environment. */
  of(id: FeedId): Feed | undefined;
}

/** All feeds of a server, made when first read and kept up to date by the commits. */
export class Feeds implements FeedSource {
  readonly #control: ControlPlane;
  readonly #feeds = new Map<string, { readonly id: FeedId; readonly feed: Feed }>();
  /** By who asks: whoever does so again is the same object. */
  readonly #known = new WeakMap<FeedId, Feed>();

  constructor(control: ControlPlane) {
    this.#control = control;
    control.onCommit((workspace, { raises, documents }) => {
      const touched = touchedBy(documents);
      const isSettling = settledBy(documents).length > 0;
      for (const { project, environment } of raises) {
        if (project === undefined || environment === undefined) continue;
        // While servers differ about what a revision holds, and when they agree again, clients get the whole of it: one
        // that came from another server holds something else under the same number.
        const isOverridden = control.overrides.some((one) => one.project === project && one.environment === environment);
        const isWhole = isSettling || isOverridden;
        this.#publish(workspace, { project, environment, kind: "server" }, { isWhole, touched });
        // What browsers hold of segments depends on all flags they see: their snapshots are compared whole.
        this.#publish(workspace, { project, environment, kind: "client" }, { isWhole, touched: undefined });
      }
    });
  }

  of(asker: FeedId): Feed | undefined {
    const known = this.#known.get(asker) ?? this.#find(asker);
    if (known !== undefined) this.#known.set(asker, known);
    return known;
  }

  #find({ project, environment, kind }: FeedId): Feed | undefined {
    // Whoever asks for answers alone is answered by all rules there are; a relay makes of them what each of its clients may see.
    const id: FeedId = { project, environment, kind: kind === "client" ? "client" : "server" };
    const name = feedName(id);
    const known = this.#feeds.get(name)?.feed;
    if (known !== undefined) return known;
    const snapshot = snapshotFor(this.#control.workspace, id);
    if (snapshot === undefined) return undefined;
    const feed = new Feed(snapshot);
    this.#feeds.set(name, { id, feed });
    return feed;
  }

  #publish(workspace: Workspace, id: FeedId, how: Parameters<Feed["publish"]>[1]): void {
    const feed = this.#feeds.get(feedName(id))?.feed;
    const snapshot = feed === undefined ? undefined : snapshotFor(workspace, id);
    if (snapshot !== undefined) feed?.publish(snapshot, how);
  }
}

function snapshotFor({ projects }: Workspace, { project: key, environment, kind }: FeedId): LiveSnapshot | undefined {
  const project = projects.get(key);
  const snapshot = project?.environments.get(environment)?.snapshot;
  if (project === undefined || snapshot === undefined || kind === "server") return snapshot;
  const { flags, ...head } = clientSnapshot(snapshot.whole, (flag) => project.flags.get(flag)?.body.clientSide === true);
  return new LiveSnapshot(head, new Map(Object.entries(flags)));
}

/** What of a server's snapshot a commit can have changed; `undefined` where that is not plain. */
function touchedBy(documents: readonly DocumentWrite[]): Touched | undefined {
  const flags = documents.filter(({ kind }) => kind === "flag" || kind === "targeting");
  const segments = documents.filter(({ kind }) => kind === "segment");
  if (flags.length + segments.length !== documents.length) return undefined;
  return { flags: new Set(flags.map(({ key }) => key)), segments: segments.length > 0, spaces: false };
}

const feedName = ({ project, environment, kind }: FeedId): string => `${project}/${environment}/${kind}`;
