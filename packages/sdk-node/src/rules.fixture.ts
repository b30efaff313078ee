import type { Json, Snapshot, SnapshotChange, SnapshotFlag } from "@belay/protocol";

const SHARE = "share/checkout-v2";

/** A flag that is on for the first `ppm` parts of its space. */
export function rollout(ppm: number): SnapshotFlag {
  return {
    type: "boolean",
    variants: { on: true, off: false },
    enabled: true,
    off: "off",
    spaces: { [SHARE]: { salt: "abcdefgh" } },
    rules: [{ id: "r1", serve: { split: [{ variant: "on", draws: [{ space: SHARE, in: [[0, ppm]] }] }] } }],
    fallthrough: { variant: "off" },
  };
}

/** A flag that serves one value to everybody. */
export function plain(type: SnapshotFlag["type"], value: Json): SnapshotFlag {
  return { type, variants: { only: value }, enabled: true, rules: [], fallthrough: { variant: "only" } };
}

/** An experiment that puts everybody into one of two arms and records it. */
export function experiment(name = "exp-1", epoch = 1): SnapshotFlag {
  const space = "split/pricing";
  return {
    type: "string",
    variants: { compact: "compact", roomy: "roomy" },
    enabled: true,
    spaces: { [space]: { salt: "ijklmnop" } },
    rules: [
      {
        id: "r1",
        serve: {
          split: [
            { variant: "compact", draws: [{ space, in: [[0, 500_000]] }], tracks: { experiment: name, epoch } },
            { variant: "roomy", draws: [{ space, in: [[500_000, 1_000_000]] }], tracks: { experiment: name, epoch } },
          ],
        },
      },
    ],
  };
}

export function snapshotOf(revision: number, flags: Record<string, SnapshotFlag>): Snapshot {
  return { format: 1, project: "default", environment: "production", revision, spaces: {}, segments: {}, flags };
}

export function changeOf(revision: number, flags: Record<string, SnapshotFlag | null>, from = revision - 1): SnapshotChange {
  return { format: 1, project: "default", environment: "production", from, revision, spaces: {}, segments: {}, flags };
}
