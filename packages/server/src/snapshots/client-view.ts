/**
 * What of an environment browsers hold, kept up from one revision to the next at the price of what a change touched.
 *
 *   server's r7 ── render all ──> browsers' r7
 *       │ touched: a, b                │ takes over every other flag
 *   server's r8 ── render a, b, and whatever names them ──> browsers' r8
 */
import { clientSnapshot } from "@belay/core";
import type { FlagKey, SnapshotFlag } from "@belay/protocol";
import { LayeredMap } from "../state/layered-map.ts";
import { flagsReachable, flagsReaching } from "../state/reach.ts";
import { LiveSnapshot, liveSnapshot, type Touched } from "../state/snapshots.ts";
import { usesOfTargeting } from "../state/uses.ts";
import type { EnvironmentState } from "../state/workspace.ts";

/** What browsers hold at a revision, and the server's snapshot it was made of. */
export interface ClientView {
  readonly source: LiveSnapshot;
  readonly snapshot: LiveSnapshot;
}

/** A later view, and what in it may differ from the one before; `undefined` where that is not plain. */
export interface NextClientView extends ClientView {
  readonly touched: Touched | undefined;
}

type IsVisible = (key: FlagKey) => boolean;

export function clientView(source: LiveSnapshot, isVisible: IsVisible): ClientView {
  return { source, snapshot: liveSnapshot(clientSnapshot(source.whole, isVisible)) };
}

/**
 * The view of an environment after one commit.
 *
 * @param touched what the commit can have changed of the server's snapshot that `before` was made of
 */
export function clientViewAfter(
  before: ClientView,
  environment: Pick<EnvironmentState, "snapshot" | "naming">,
  { isVisible, touched }: { readonly isVisible: IsVisible; readonly touched: Touched | undefined },
): NextClientView {
  const { snapshot: source } = environment;
  if (touched === undefined || touched.segments || touched.spaces)
    return { ...clientView(source, isVisible), touched: undefined };
  // Segments and spaces are sent to browsers as far as their flags use them: where that changes, all flags must be asked.
  if (!hasSameUses(before, source, touched.flags, isVisible)) return { ...clientView(source, isVisible), touched: undefined };
  const flags = flagsReaching(environment, touched.flags);
  const rendered = renderAmong(source, flags, isVisible);
  const after = LayeredMap.copy(before.snapshot.flags);
  for (const key of flags) after.put(key, rendered.get(key));
  const head = { ...before.snapshot.head, revision: source.head.revision };
  return { source, snapshot: new LiveSnapshot(head, after), touched: { flags, segments: false, spaces: false } };
}

/** Do browsers' flags use the same segments and shared spaces as before, as far as these flags say? */
function hasSameUses(before: ClientView, source: LiveSnapshot, keys: ReadonlySet<FlagKey>, isVisible: IsVisible): boolean {
  for (const key of keys) {
    const was = before.snapshot.flags.has(key) ? before.source.flags.get(key) : undefined;
    const is = isVisible(key) ? source.flags.get(key) : undefined;
    if (sharedUses(was) !== sharedUses(is)) return false;
  }
  return true;
}

/** Names of the segments and of the spaces not its own that a flag uses, as a text to compare. */
function sharedUses(flag: SnapshotFlag | undefined): string {
  if (flag === undefined) return "";
  const { spaces = {} } = flag;
  const uses = usesOfTargeting(flag).filter(
    ({ kind, name }) => kind === "segment" || (kind === "space" && !Object.hasOwn(spaces, name)),
  );
  return [...new Set(uses.map(({ kind, name }) => `${kind} ${name}`))].sort().join("\n");
}

/** These flags as browsers hold them: each is judged with all that it can reach, as in the whole. */
function renderAmong(source: LiveSnapshot, keys: ReadonlySet<FlagKey>, isVisible: IsVisible): Map<FlagKey, SnapshotFlag> {
  const uses = [...keys].flatMap((key) => {
    const flag = source.flags.get(key);
    return flag === undefined ? [] : usesOfTargeting(flag);
  });
  const part = source.part(new Set([...keys, ...flagsReachable(source, uses)]));
  return new Map(Object.entries(clientSnapshot(part, isVisible).flags));
}
