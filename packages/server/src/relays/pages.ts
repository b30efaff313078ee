import type { FlagKey } from "@belay/protocol";
import { type ClientView, clientView, clientViewAfter, type NextClientView } from "../snapshots/client-view.ts";
import { Feed, type PublishOptions } from "../snapshots/feed.ts";
import type { LiveSnapshot } from "../state/snapshots.ts";
import { namesAfter } from "../state/users.ts";
import type { EnvironmentState } from "../state/workspace.ts";

type FlagKeys = ReadonlySet<FlagKey>;

/** What pages hold of an environment that a relay follows, kept up as the server itself does it: at the price of a change. */
export class Pages {
  readonly feed: Feed;
  #view: ClientView;
  /** The flags that the view shows. */
  #visible: FlagKeys;
  /** Of the snapshot that the view was made of; absent where it could not be found out. */
  #naming: EnvironmentState["naming"] | undefined;

  /** @param visible the flags that pages may see, as the brief names them */
  constructor(source: LiveSnapshot, visible: FlagKeys) {
    this.#view = clientView(source, (key) => visible.has(key));
    this.#visible = visible;
    this.feed = new Feed(this.#view.snapshot);
  }

  /** Publishes what pages hold after the upstream's snapshot became `source`; `how` it was published to servers. */
  advance(source: LiveSnapshot, visible: FlagKeys, { touched, isWhole = false }: PublishOptions): void {
    const flags = touched && new Set([...touched.flags, ...differing(this.#visible, visible)]);
    const next = this.#next(source, visible, touched && flags && { ...touched, flags });
    this.#view = next;
    this.#visible = visible;
    this.feed.publish(next.snapshot, { isWhole, touched: next.touched });
  }

  #next(source: LiveSnapshot, visible: FlagKeys, touched: PublishOptions["touched"]): NextClientView {
    const isVisible = (key: FlagKey): boolean => visible.has(key);
    try {
      this.#naming = this.#namingAfter(source, touched?.flags);
      return clientViewAfter(this.#view, { snapshot: source, naming: this.#naming }, { isVisible, touched });
    } catch {
      // A flag that cannot be read, of a newer server say. Rendering all of them sets such a one apart from its neighbours.
      this.#naming = undefined;
      return { ...clientView(source, isVisible), touched: undefined };
    }
  }

  #namingAfter({ flags }: LiveSnapshot, touched: FlagKeys | undefined): EnvironmentState["naming"] {
    const naming = this.#naming;
    if (naming === undefined) return namesAfter({ snapshot: this.#view.source, naming: new Map() }, flags);
    return namesAfter({ snapshot: this.#view.source, naming }, flags, touched);
  }
}

function differing(before: FlagKeys, after: FlagKeys): FlagKey[] {
  if (before === after) return [];
  return [...[...before].filter((key) => !after.has(key)), ...[...after].filter((key) => !before.has(key))];
}
