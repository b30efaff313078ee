// S4: a flag that does not exist: the caller's default, as fast as anything else.
import { weighCalls } from "./allocation.ts";
import { type CallScenario, timeCalls } from "./call-scenario.ts";
import type { Scenario } from "./scenario.ts";
import { FEW_FLAGS, plainUser, UNKNOWN_KEY } from "./work.ts";

export const unknownCall: CallScenario = {
  question: { kind: "boolean", key: UNKNOWN_KEY },
  flags: FEW_FLAGS,
  user: plainUser,
  isTracking: false,
  share: [0, 0],
};

export const S4: readonly Scenario[] = [
  { id: "S4", title: "unknown flag", unit: "ns", measure: (rival) => timeCalls(rival, unknownCall) },
  {
    id: "S4-bytes",
    title: "the same, allocated per call",
    unit: "bytes",
    roundsMax: 1,
    measure: (rival) => weighCalls(rival, unknownCall),
  },
];
