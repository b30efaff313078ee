// S3: an experiment of three variants, with exposures on and without; every unit has been seen once before it is timed.
import { weighCalls } from "./allocation.ts";
import { type CallScenario, timeCalls, timeTail } from "./call-scenario.ts";
import type { Rival } from "./rival.ts";
import type { Scenario } from "./scenario.ts";
import { EXPERIMENT, FEW_FLAGS, plainUser } from "./work.ts";

const untrackedCall: CallScenario = {
  question: { kind: "variant", key: EXPERIMENT.key },
  flags: FEW_FLAGS,
  user: plainUser,
  isTracking: false,
  share: [0.31, 0.36],
};

export const trackedCall: CallScenario = { ...untrackedCall, isTracking: true };

const needsTracking = ({ tracks }: Rival): string | undefined => (tracks === undefined ? "has no exposures" : undefined);

export const S3: readonly Scenario[] = [
  {
    id: "S3",
    title: "three-variant experiment, exposures on",
    unit: "ns",
    excuses: needsTracking,
    measure: (rival) => timeCalls(rival, trackedCall),
  },
  { id: "S3-untracked", title: "the same, exposures off", unit: "ns", measure: (rival) => timeCalls(rival, untrackedCall) },
  {
    id: "S3-bytes",
    title: "exposures on, allocated per call",
    unit: "bytes",
    roundsMax: 1,
    excuses: needsTracking,
    measure: (rival) => weighCalls(rival, trackedCall),
  },
  {
    id: "S3-tail",
    title: "exposures on, p99.9 of single calls",
    unit: "ns",
    excuses: needsTracking,
    measure: (rival) => timeTail(rival, trackedCall),
  },
];
