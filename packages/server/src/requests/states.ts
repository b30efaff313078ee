import type { RequestState } from "@belay/protocol";

/** What can happen to a change request. */
export type RequestEvent = "edit" | "approve" | "schedule" | "reject" | "withdraw" | "drift" | "apply" | "fail" | "supersede";

/**
 *   open ──approve──> open ──enough──┬──> applied
 *    │                               └──> scheduled ──its time──> applied, failed or superseded
 *    └── reject, withdraw, drift: over; edit: open again, approvals gone
 *
 * The state after each event in each state; `undefined`: refused. Total, so that a new state or event does not compile
 * until every cell was thought about.
 */
const TRANSITIONS: Readonly<Record<RequestState, Readonly<Record<RequestEvent, RequestState | undefined>>>> = {
  open: {
    edit: "open",
    approve: "open",
    schedule: "scheduled",
    reject: "rejected",
    withdraw: "withdrawn",
    drift: "void",
    apply: "applied",
    // Its time came before its approvals did.
    fail: "failed",
    supersede: undefined,
  },
  scheduled: {
    edit: "open",
    approve: undefined,
    schedule: undefined,
    reject: "rejected",
    withdraw: "withdrawn",
    drift: "void",
    apply: "applied",
    fail: "failed",
    supersede: "superseded",
  },
  applied: over(),
  rejected: over(),
  withdrawn: over(),
  void: over(),
  failed: over(),
  superseded: over(),
};

/** The state that an event leads to; `undefined` where it is refused. */
export function after(state: RequestState, event: RequestEvent): RequestState | undefined {
  return TRANSITIONS[state][event];
}

/** What a state takes. */
export function eventsOf(state: RequestState): RequestEvent[] {
  const row = TRANSITIONS[state];
  return (Object.keys(row) as RequestEvent[]).filter((event) => row[event] !== undefined);
}

/** May it still be made? */
export function isPending(state: RequestState): boolean {
  return state === "open" || state === "scheduled";
}

function over(): Record<RequestEvent, undefined> {
  const none = undefined;
  return {
    edit: none,
    approve: none,
    schedule: none,
    reject: none,
    withdraw: none,
    drift: none,
    apply: none,
    fail: none,
    supersede: none,
  };
}
