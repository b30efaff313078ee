// S1: a 50 % rollout by user id.
import { weighCalls } from "./allocation.ts";
import { type CallScenario, timeCalls } from "./call-scenario.ts";
import type { Scenario } from "./scenario.ts";
import { FEW_FLAGS, plainUser, ROLLOUT } from "./work.ts";

export const rolloutCall: CallScenario = {
  question: { kind: "boolean", key: ROLLOUT.key },
  flags: FEW_FLAGS,
  user: plainUser,
  isTracking: false,
  share: [0.48, 0.52],
};

export const S1: readonly Scenario[] = [
  { id: "S1", title: "50 % rollout by user id", unit: "ns", measure: (rival) => timeCalls(rival, rolloutCall) },
  {
    id: "S1-bytes",
    title: "the same, allocated per call",
    unit: "bytes",
    roundsMax: 1,
    measure: (rival) => weighCalls(rival, rolloutCall),
  },
];
