import { clientSnapshot } from "@belay/core";
import type { SdkKeyKind, Snapshot } from "@belay/protocol";
import type { ControlPlane } from "../control/control-plane.ts";
import type { Workspace } from "../state/workspace.ts";
import { Feed } from "./feed.ts";

/** Where an SDK reads. */
export interface FeedId {
  readonly project: string;
  readonly environment: string;
  readonly kind: SdkKeyKind;
}

/** All feeds of a server, made when first read and kept up to date by the commits. */
export class Feeds {
  readonly #control: ControlPlane;
  readonly #feeds = new Map<string, { readonly id: FeedId; readonly feed: Feed }>();

  constructor(control: ControlPlane) {
    this.#control = control;
    control.onCommit((workspace, { raises }) => {
      for (const { project, environment } of raises) {
        if (project === undefined || environment === undefined) continue;
        this.#publish(workspace, { project, environment, kind: "server" });
        this.#publish(workspace, { project, environment, kind: "client" });
      }
    });
  }

  /** The feed of an environment; `undefined` where there is no such environment. */
  of(id: FeedId): Feed | undefined {
    const name = feedName(id);
    const known = this.#feeds.get(name)?.feed;
    if (known !== undefined) return known;
    const snapshot = snapshotFor(this.#control.workspace, id);
    if (snapshot === undefined) return undefined;
    const feed = new Feed(snapshot);
    this.#feeds.set(name, { id, feed });
    return feed;
  }

  #publish(workspace: Workspace, id: FeedId): void {
    const feed = this.#feeds.get(feedName(id))?.feed;
    const snapshot = feed === undefined ? undefined : snapshotFor(workspace, id);
    if (snapshot !== undefined) feed?.publish(snapshot);
  }
}

function snapshotFor({ projects }: Workspace, { project: key, environment, kind }: FeedId): Snapshot | undefined {
  const project = projects.get(key);
  const snapshot = project?.environments.get(environment)?.snapshot;
  if (project === undefined || snapshot === undefined || kind === "server") return snapshot;
  return clientSnapshot(snapshot, (flag) => project.flags.get(flag)?.body.clientSide === true);
}

const feedName = ({ project, environment, kind }: FeedId): string => `${project}/${environment}/${kind}`;
