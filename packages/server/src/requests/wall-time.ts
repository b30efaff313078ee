import type { EpochMs, WallTime } from "@belay/protocol";
import { Temporal } from "temporal-polyfill";

const WALL_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?$/;

/**
 * The moment at which clocks of a zone show a wall time, or why there is none. Clocks that are set back show some times
 * twice: the first counts. Clocks that are set forward skip some: the first moment after the gap counts.
 */
export function momentOf({ at, zone }: WallTime): EpochMs | { readonly field: "at" | "zone"; readonly reason: string } {
  const wall = WALL_TIME.test(at) ? wallTime(at) : undefined;
  if (wall === undefined) return { field: "at", reason: "it is no wall time such as 2026-12-24T09:00" };
  // An offset is no zone: it does not know when clocks change.
  if (/^[+-]/.test(zone)) return { field: "zone", reason: NO_ZONE };
  try {
    const shown = wall.toZonedDateTime(zone, { disambiguation: "earlier" });
    const isSkipped = !shown.toPlainDateTime().equals(wall);
    const moment = isSkipped ? (shown.getTimeZoneTransition("next") ?? shown) : shown;
    return moment.epochMilliseconds;
  } catch {
    return { field: "zone", reason: NO_ZONE };
  }
}

const NO_ZONE = "it is no name of a zone such as Europe/Berlin";

/** `undefined` for a day that no calendar has. */
function wallTime(at: string): Temporal.PlainDateTime | undefined {
  try {
    return Temporal.PlainDateTime.from(at, { overflow: "reject" });
  } catch {
    return undefined;
  }
}
