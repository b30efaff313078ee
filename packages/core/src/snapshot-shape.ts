import type { Snapshot, SnapshotChange } from "@belay/protocol";
import { isRecord } from "./read-condition.ts";

/**
 * Has the value the outer form of a snapshot of format 1? What a flag says is not looked at: a broken one is isolated by
 * `compile`. Anything that fails here (an HTML page, a cut body, a newer format) must not replace what is in force.
 */
export function isSnapshot(value: unknown): value is Snapshot {
  return isRecord(value) && hasOuterForm(value);
}

/** Has the value the outer form of a change of format 1? */
export function isSnapshotChange(value: unknown): value is SnapshotChange {
  return isRecord(value) && hasOuterForm(value) && isRevision(value["from"]);
}

function hasOuterForm(value: { readonly [name: string]: unknown }): boolean {
  return (
    value["format"] === 1 &&
    typeof value["project"] === "string" &&
    typeof value["environment"] === "string" &&
    isRevision(value["revision"]) &&
    isRecord(value["spaces"]) &&
    isRecord(value["segments"]) &&
    isRecord(value["flags"])
  );
}

function isRevision(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
