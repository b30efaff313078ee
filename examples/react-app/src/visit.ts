import type { Snapshot } from "@belay/protocol";

/** What the server hands to the page, so that the page starts where the server stopped. */
export interface Visit {
  /** Address of the Belay server. */
  readonly url: string;
  /** A client key: public, and good for reading what browsers may see. */
  readonly clientKey: string;
  readonly visitor: string;
  /** The rules the page was rendered with. */
  readonly rules: Snapshot;
}

/** Id of the element that holds the visit as JSON; data, so the strictest policy lets it through. */
export const VISIT_ID = "visit";
