import type { RelayBrief, RelayKey } from "@belay/protocol";
import type { SdkIdentity } from "../access/identity.ts";
import type { ControlPlane } from "../control/control-plane.ts";
import type { FeedSource } from "../snapshots/feeds.ts";
import type { PlacedSdkKey, Workspace } from "../state/workspace.ts";
import { BriefedFeed } from "./briefed-feed.ts";

type Place = Pick<SdkIdentity, "project" | "environment">;

/** Where the doors of relays find what a relay hears. */
export interface BriefSource {
  /** `undefined` where there is no such environment. */
  of(place: Place): BriefedFeed | undefined;
}

/** What relays of a server hear, by environment: made when one first asks, and kept up to date by the commits. */
export class Briefs implements BriefSource {
  readonly #control: ControlPlane;
  readonly #feeds: () => FeedSource;
  readonly #known = new Map<string, { readonly place: Place; readonly briefed: BriefedFeed }>();

  /**
   * Make it before the feeds, which it is given when it is asked: of a commit that shows a flag to pages the brief must be
   * out before the change.
   */
  constructor(control: ControlPlane, feeds: () => FeedSource) {
    this.#control = control;
    this.#feeds = feeds;
    control.onCommit((workspace, { documents }) => {
      if (!documents.some(({ kind }) => kind === "sdk-key" || kind === "flag")) return;
      for (const { place, briefed } of this.#known.values()) briefed.renew(briefOf(workspace, place));
    });
  }

  of(place: Place): BriefedFeed | undefined {
    const name = JSON.stringify([place.project, place.environment]);
    const known = this.#known.get(name)?.briefed;
    const feed = this.#feeds().of({ ...place, kind: "server" });
    if (known !== undefined || feed === undefined) return known;
    const briefed = new BriefedFeed(feed, briefOf(this.#control.workspace, place));
    this.#known.set(name, { place, briefed });
    return briefed;
  }
}

function briefOf({ sdkKeys, projects }: Workspace, { project, environment }: Place): RelayBrief {
  const isHere = (placed: PlacedSdkKey): boolean => placed.project === project && placed.document.environment === environment;
  const flags = [...(projects.get(project)?.flags ?? [])];
  return {
    project,
    environment,
    path: [],
    keys: [...sdkKeys.values()].filter((placed) => isHere(placed) && !placed.document.revoked).map(toRelayKey),
    clientFlags: flags.filter(([, { body }]) => body.clientSide && !body.archived).map(([key]) => key),
  };
}

function toRelayKey({ id, document: { kind, hash, previous } }: PlacedSdkKey): RelayKey {
  return { id, kind, hash, ...(previous === undefined ? {} : { previous }) };
}
