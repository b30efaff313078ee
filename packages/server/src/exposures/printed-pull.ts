/* A pull in words that others understand: a command line. Its SQL is the store's own to say. */
import type { PullFormat } from "../store/events/index.ts";
import { FORMATS } from "./pull-formats.ts";
import type { FilterQuery } from "./pull-query.ts";

/** What pulls of a project's events are called: `default-exposures`. */
export function fileStem(project: string, name: string): string {
  return `${project}-${name}`;
}

/** A pull of one kind of a project's events. */
export interface PullAddress {
  readonly project: string;
  /** As in the path: `exposures` or `metric-events`. */
  readonly name: string;
  readonly filters: FilterQuery;
  readonly format: PullFormat;
}

/** For a POSIX shell; the token is read from `BELAY_TOKEN`. @param origin scheme, host and port of this server. */
export function printCurl(origin: string, { project, name, filters, format }: PullAddress): string {
  const parameters = new URLSearchParams(Object.entries({ ...filters, format }));
  const url = `${origin}/api/v1/projects/${encodeURIComponent(project)}/${name}?${parameters.toString()}`;
  // Nothing in an encoded address ends the quotes around it.
  return `curl -fsS -H "authorization: Bearer $BELAY_TOKEN" -o ${fileStem(project, name)}.${FORMATS[format].extension} '${url}'`;
}
