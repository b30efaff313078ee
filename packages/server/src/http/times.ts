import type { EpochMs } from "@belay/protocol";
import { readMoment } from "../imports/moments.ts";
import { ProblemError } from "./problem.ts";

/** What is wrong with a text that `momentOf` does not read. */
export const NO_MOMENT =
  "it is no moment such as 2026-11-22T10:00:00Z; a time says its zone, and the + of an offset is written %2B in an address";

/**
 * Milliseconds of a moment: RFC 3339, or a date alone, which begins in UTC. `undefined` for anything else, a day that no
 * calendar has, and a time without a zone, which would be another moment at a server elsewhere.
 */
export function momentOf(text: string): EpochMs | undefined {
  const read = readMoment(text, {});
  return "ms" in read ? read.ms : undefined;
}

/** The moment that a field of a request says; `undefined` for an absent one. @throws ProblemError that names the field. */
export function readTime(field: string, text: string | undefined): EpochMs | undefined {
  const ms = text === undefined ? undefined : momentOf(text);
  if (text !== undefined && ms === undefined)
    throw new ProblemError("invalid_field", { field, received: text, reason: NO_MOMENT });
  return ms;
}
