/**
 * Change requests: an edit that is asked for before it is made. People approve exactly what they looked at, or it is made
 * at a wall time, or both.
 */

import type { Reasoned } from "./api.ts";
import type { Json } from "./json.ts";
import type { Revision } from "./names.ts";

/** What a request can ask for: edits of a flag in its environment, and of what all environments share. */
export type RequestOperation =
  | "rollout"
  | "targeting"
  | "enabled"
  | "switch"
  | "restore"
  | "promotion"
  | "release-start"
  | "flag"
  | "reshuffle"
  | "archive"
  | "segment"
  | "holdout-end"
  | "import";

/**
 * `open` waits for approvals, `scheduled` for its time. `void`: what it would do is no longer what people looked at.
 * `failed`: refused when its time came. `superseded`: a later one that sets the same came due with it, and was made.
 */
export type RequestState = "open" | "scheduled" | "applied" | "rejected" | "withdrawn" | "void" | "failed" | "superseded";

export interface Person {
  readonly id: string;
  readonly name: string;
}

export interface Approval extends Person {
  /** RFC 3339. */
  readonly at: string;
}

/** When a request is to be made: a wall time in a named zone. */
export interface WallTime {
  /** `2026-12-24T09:00`, seconds optional, without an offset. */
  readonly at: string;
  /** IANA name: `Europe/Berlin`. */
  readonly zone: string;
}

/** One document that a request would write; `before` is absent where it is new, `after` where it goes. */
export interface RequestedChange {
  readonly kind: string;
  readonly key: string;
  /** Absent for what all environments share. */
  readonly environment?: string;
  readonly before?: Json;
  readonly after?: Json;
}

/** How a request came to its end. */
export interface RequestEnd {
  readonly at: string;
  /** Absent: nobody; time or another change did it. */
  readonly by?: Person;
  /** What it was refused for: an error code of the dictionary. */
  readonly code?: string;
  readonly reason?: string;
}

export interface ChangeRequest {
  readonly id: string;
  readonly project: string;
  readonly environment: string;
  readonly operation: RequestOperation;
  /** The flag, segment, release or holdout it is about. */
  readonly key?: string;
  readonly body: Json;
  readonly state: RequestState;
  readonly author: Person;
  readonly reason?: string;
  readonly createdAt: string;
  /** What it would write, as computed when it was asked for or last edited. */
  readonly changes: readonly RequestedChange[];
  /** Hash of operation and changes: an approval names it, and holds for nothing else. */
  readonly hash: string;
  /** Approvals by people other than the author it takes; 0: it only waits for its time. */
  readonly needed: number;
  readonly approvals: readonly Approval[];
  readonly schedule?: WallTime & {
    /** The moment that is, RFC 3339 in UTC. */
    readonly due: string;
  };
  readonly end?: RequestEnd;
  /** Revision of the project at which the request last changed: its ETag. */
  readonly revision: Revision;
}

/** A request in a list: without what it would do in full. */
export type ListedRequest = Omit<ChangeRequest, "body" | "changes">;

/** `body` is what the operation's own call takes. */
export interface RequestDraft extends Reasoned {
  readonly operation: RequestOperation;
  readonly key?: string;
  readonly body?: { readonly [field: string]: Json };
  readonly schedule?: WallTime;
}

/** Another body or time; approvals given before are gone. */
export interface RequestEdit extends Reasoned {
  readonly body?: { readonly [field: string]: Json };
  readonly schedule?: WallTime;
}

export interface ApprovalDraft extends Reasoned {
  /** Of the request, as the approver saw it. */
  readonly hash: string;
}

/** How many people other than its author an edit of an environment needs; 0: none. */
export interface ApprovalRule extends Reasoned {
  readonly required: number;
}
