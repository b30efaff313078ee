import type { FlagKey, SdkKeyKind } from "@belay/protocol";
import type { ControlPlane } from "../control/control-plane.ts";
import { settledBy } from "../control/overlay.ts";
import { isResumption } from "../control/resumption.ts";
import type { Touched } from "../state/snapshots.ts";
import type { ProjectState, Workspace } from "../state/workspace.ts";
import type { DocumentWrite } from "../store/changes/index.ts";
import { type ClientView, clientView, clientViewAfter } from "./client-view.ts";
import { Feed, type PublishOptions } from "./feed.ts";

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

/** A feed for browsers, with the view it shows. */
interface ClientFeed {
  readonly feed: Feed;
  view: ClientView;
  /** Is the view what the feed published last? A revision that was served before is not published again. */
  isOnTop: boolean;
}

/** All feeds of a server, made when first read and kept up to date by the commits. */
export class Feeds implements FeedSource {
  readonly #control: ControlPlane;
  readonly #server = new Map<string, Feed>();
  readonly #client = new Map<string, ClientFeed>();
  /** By who asks: whoever does so again is the same object. */
  readonly #known = new WeakMap<FeedId, Feed>();

  constructor(control: ControlPlane) {
    this.#control = control;
    control.onCommit((workspace, { raises, documents }) => {
      const touched = touchedBy(documents);
      const isAgreed = settledBy(documents).length > 0 || isResumption(documents);
      for (const { project, environment } of raises) {
        if (project === undefined || environment === undefined) continue;
        // While servers differ about what a revision holds, and when they agree again, clients get the whole of it: one
        // that came from another server holds something else under the same number.
        const isOverridden = control.overrides.some((one) => one.project === project && one.environment === environment);
        this.#publish(workspace, { project, environment }, { isWhole: isAgreed || isOverridden, touched });
      }
    });
  }

  of(asker: FeedId): Feed | undefined {
    const known = this.#known.get(asker) ?? this.#find(asker);
    if (known !== undefined) this.#known.set(asker, known);
    return known;
  }

  #find({ kind, ...place }: FeedId): Feed | undefined {
    const name = nameOf(place);
    // Whoever asks for answers alone is answered by all rules there are; a relay makes of them what each of its clients may see.
    const known = kind === "client" ? this.#client.get(name)?.feed : this.#server.get(name);
    if (known !== undefined) return known;
    const project = this.#control.workspace.projects.get(place.project);
    const snapshot = project?.environments.get(place.environment)?.snapshot;
    if (project === undefined || snapshot === undefined) return undefined;
    if (kind === "client") {
      const view = clientView(snapshot, visibleIn(project));
      const feed = new Feed(view.snapshot);
      this.#client.set(name, { feed, view, isOnTop: true });
      return feed;
    }
    const feed = new Feed(snapshot);
    this.#server.set(name, feed);
    return feed;
  }

  #publish({ projects }: Workspace, place: Place, { isWhole, touched }: Required<PublishOptions>): void {
    const project = projects.get(place.project);
    const environment = project?.environments.get(place.environment);
    if (project === undefined || environment === undefined) return;
    this.#server.get(nameOf(place))?.publish(environment.snapshot, { isWhole, touched });
    const client = this.#client.get(nameOf(place));
    if (client === undefined) return;
    const isVisible = visibleIn(project);
    // What lies over the log is in no commit's documents.
    const isPlain = !isWhole && client.isOnTop;
    const next = clientViewAfter(client.view, environment, { isVisible, touched: isPlain ? touched : undefined });
    client.isOnTop = client.feed.publish(next.snapshot, { isWhole, touched: next.touched });
    client.view = next;
  }
}

type Place = Pick<FeedId, "project" | "environment">;

function visibleIn({ flags }: ProjectState): (key: FlagKey) => boolean {
  return (key) => flags.get(key)?.body.clientSide === true;
}

/** What of a server's snapshot a commit can have changed; `undefined` where that is not plain. */
function touchedBy(documents: readonly DocumentWrite[]): Touched | undefined {
  const flags = documents.filter(({ kind }) => kind === "flag" || kind === "targeting");
  const segments = documents.filter(({ kind }) => kind === "segment");
  if (flags.length + segments.length !== documents.length) return undefined;
  return { flags: new Set(flags.map(({ key }) => key)), segments: segments.length > 0, spaces: false };
}

const nameOf = ({ project, environment }: Place): string => `${project}/${environment}`;
