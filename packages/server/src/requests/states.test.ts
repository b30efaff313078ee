import type { RequestState } from "@belay/protocol";
import { expect, it } from "vitest";
import { after, eventsOf, isPending } from "./states.ts";

const STATES: readonly RequestState[] = ["open", "scheduled", "applied", "rejected", "withdrawn", "void", "failed", "superseded"];

it("goes where the table says, and nowhere once it is over", () => {
  const lines = STATES.map((state) => `${state}: ${eventsOf(state).map((event) => `${event} -> ${after(state, event)}`)}`);
  expect(lines).toEqual([
    "open: edit -> open,approve -> open,schedule -> scheduled,reject -> rejected,withdraw -> withdrawn,drift -> void,apply -> applied,fail -> failed",
    "scheduled: edit -> open,reject -> rejected,withdraw -> withdrawn,drift -> void,apply -> applied,fail -> failed,supersede -> superseded",
    "applied: ",
    "rejected: ",
    "withdrawn: ",
    "void: ",
    "failed: ",
    "superseded: ",
  ]);
  expect(STATES.filter(isPending)).toEqual(["open", "scheduled"]);
});
