import type { ReleaseState } from "@belay/protocol";

/** What can happen to a release. Commands of people and moves of the planner go through the same table. */
export type ReleaseEvent =
  | "edit"
  | "ready"
  | "start"
  | "advance"
  | "reach-top"
  | "hold"
  | "resume"
  | "finish"
  | "rollback"
  | "acknowledged"
  | "abort";

/**
 * The state after each event in each state; `undefined`: refused. Total, so that a new state or event does not compile
 * until every cell was thought about.
 *
 * Rolling back is possible wherever somebody may be exposed. Once it began nothing else is: a release that went back
 * is told apart from one that climbs again, which is a new release.
 */
const TRANSITIONS: Readonly<Record<ReleaseState, Readonly<Record<ReleaseEvent, ReleaseState | undefined>>>> = {
  draft: row({ edit: "draft", ready: "ready", abort: "aborted" }),
  ready: row({ edit: "draft", start: "ramping", abort: "aborted" }),
  ramping: row({
    advance: "ramping",
    "reach-top": "full",
    hold: "holding",
    rollback: "rolling-back",
    abort: "aborted",
  }),
  holding: row({
    advance: "ramping",
    "reach-top": "full",
    hold: "holding",
    resume: "ramping",
    rollback: "rolling-back",
    abort: "aborted",
  }),
  full: row({ hold: "holding", finish: "done", rollback: "rolling-back", abort: "aborted" }),
  done: row({ rollback: "rolling-back" }),
  "rolling-back": row({ acknowledged: "rolled-back" }),
  "rolled-back": row({}),
  aborted: row({}),
};

/** The state that an event leads to; `undefined` where it is refused. */
export function after(state: ReleaseState, event: ReleaseEvent): ReleaseState | undefined {
  return TRANSITIONS[state][event];
}

/** What a state takes. */
export function eventsOf(state: ReleaseState): ReleaseEvent[] {
  return EVENTS.filter((event) => TRANSITIONS[state][event] !== undefined);
}

/** Is somebody exposed by a release that may still move, so that it must be watched? */
export function isLive(state: ReleaseState): boolean {
  return state === "ramping" || state === "holding" || state === "full";
}

const EVENTS: readonly ReleaseEvent[] = Object.keys(TRANSITIONS.draft) as ReleaseEvent[];

function row(moves: Partial<Record<ReleaseEvent, ReleaseState>>): Record<ReleaseEvent, ReleaseState | undefined> {
  const none = undefined;
  return {
    edit: none,
    ready: none,
    start: none,
    advance: none,
    "reach-top": none,
    hold: none,
    resume: none,
    finish: none,
    rollback: none,
    acknowledged: none,
    abort: none,
    ...moves,
  };
}
