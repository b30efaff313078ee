import type { Revision } from "@belay/protocol";
import { ProblemError } from "./problem.ts";

/** An entity tag is the revision, quoted. */
export function etagOf(revision: Revision): string {
  return `"${revision}"`;
}

/**
 * The revision of an `If-Match` header; `undefined` when there is none or it says `*`.
 *
 * @throws ProblemError when it is no revision: a precondition that cannot be checked must not pass.
 */
export function readIfMatch(header: string | undefined): Revision | undefined {
  if (header === undefined || header === "*") return undefined;
  const match = /^(?:W\/)?"?(\d{1,15})"?$/.exec(header.trim());
  if (match === null)
    throw new ProblemError("invalid_field", { field: "If-Match", received: header, reason: "it is not a revision" });
  return Number(match[1]);
}

/** Does an `If-None-Match` header name this revision? */
export function noneMatches(header: string | undefined, revision: Revision): boolean {
  return tagMatches(header, etagOf(revision));
}

/** Does an `If-None-Match` header name this tag? Proxies that compress make tags weak; that is no other content. */
export function tagMatches(header: string | undefined, tag: string): boolean {
  // Nearly every client sends just this one, as it was given.
  if (header === undefined || header === tag) return header !== undefined;
  return header.split(",").some((sent) => sent.trim().replace(/^W\//, "") === tag);
}
