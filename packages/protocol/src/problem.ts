import type { ErrorCode } from "./errors.ts";
import type { Json } from "./json.ts";

/** An RFC 9457 problem document, as every HTTP error of the server has it. */
export interface Problem {
  /** `about:belay/<code>`: an identifier, not a link. */
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: ErrorCode;
  /** The way out, in one sentence. */
  readonly hint: string;
  /** Path of the offending field, for example `rules[2].when.value`. */
  readonly field?: string;
  /** What was received there, cut to 200 characters of JSON. */
  readonly received?: Json;
  /** What is allowed there. */
  readonly allowed?: Json;
  readonly requestId?: string;
  /** Further facts of one code, for example the other person's change of a 412. */
  readonly [extra: string]: Json | undefined;
}
