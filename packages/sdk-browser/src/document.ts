/* What comes over the wire or out of storage, read before it is believed: its outer form, since the server checked the rest. */
import type { Snapshot, SnapshotChange } from "@belay/protocol";

/** The snapshot or change in a text. Throws where it is neither: cut, a page of some proxy, a format not known here. */
export function readDocument<T extends Snapshot | SnapshotChange>(text: string): T {
  const document = JSON.parse(text) as T | null;
  if (!(document?.format === 1 && document.revision >= 0 && document.flags)) throw new Error("no snapshot came");
  return document;
}
