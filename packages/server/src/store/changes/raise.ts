import type { Revision } from "@belay/protocol";
import type { ChangeDraft, Raise } from "./change-log.ts";

/** The revision that a commit makes of a stream. */
export function reached({ revision, to = revision + 1 }: Raise): Revision {
  return to;
}

/** When it was made and by which request: no two logs that took different ways have the same at one position. */
export function markOf({ at, requestId }: Pick<ChangeDraft, "at" | "requestId">): string {
  return `${at} ${requestId}`;
}
