// S2: country in a list, version at least, e-mail ends with; all three hold; then 20 %.
import { weighCalls } from "./allocation.ts";
import { type CallScenario, timeCalls } from "./call-scenario.ts";
import type { Scenario } from "./scenario.ts";
import { FEW_FLAGS, matchingUser, TARGETED } from "./work.ts";

export const targetingCall: CallScenario = {
  question: { kind: "boolean", key: TARGETED.key },
  flags: FEW_FLAGS,
  user: matchingUser,
  isTracking: false,
  share: [0.18, 0.22],
};

export const S2: readonly Scenario[] = [
  { id: "S2", title: "three conditions, then 20 %", unit: "ns", measure: (rival) => timeCalls(rival, targetingCall) },
  {
    id: "S2-bytes",
    title: "the same, allocated per call",
    unit: "bytes",
    roundsMax: 1,
    measure: (rival) => weighCalls(rival, targetingCall),
  },
];
