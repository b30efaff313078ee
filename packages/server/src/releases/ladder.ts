import type { GateId, SegmentKey, Stage } from "@belay/protocol";

const HOUR_S = 3_600;
const WATCHED: readonly GateId[] = ["monitoring", "non-inferiority"];
const BEFORE_FULL: readonly GateId[] = [...WATCHED, "rollback-readiness", "learning", "team", "impact"];

/**
 * The ladder a release gets when nobody wrote another: Internal (a segment, whole), 1, 5, 10, 25, 50, 100 %. Each stage is
 * watched; the five questions are asked before everybody gets it.
 *
 * @param internal the segment of the first stage; without it the ladder begins at 1 %.
 */
export function defaultLadder(internal: SegmentKey | undefined): Stage[] {
  const climb = (name: string, percentage: number, hours: number, gates = WATCHED): Stage => ({
    name,
    percentage,
    ...(internal === undefined ? {} : { audience: internal }),
    hold: { minDurationS: hours * HOUR_S },
    gates,
  });
  return [
    ...(internal === undefined ? [] : [climb("Internal", 0, 1, ["monitoring"])]),
    climb("Alpha 1 %", 1, 1),
    climb("Alpha 5 %", 5, 4),
    climb("Beta 10 %", 10, 24),
    climb("Beta 25 %", 25, 24),
    climb("Phased 50 %", 50, 24, BEFORE_FULL),
    climb("Full", 100, 24, []),
  ];
}
