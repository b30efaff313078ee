import type { EpochMs } from "@belay/protocol";
import { ProblemError } from "./problem.ts";

/** Milliseconds of an RFC 3339 text; `undefined` for none. @throws ProblemError that names the field. */
export function readTime(field: string, text: string | undefined): EpochMs | undefined {
  const ms = text === undefined ? undefined : Date.parse(text);
  if (ms !== undefined && !Number.isFinite(ms))
    throw new ProblemError("invalid_field", { field, received: text, reason: "it is not an RFC 3339 time" });
  return ms;
}
