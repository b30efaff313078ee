import type { Snapshot, SnapshotChange, SnapshotFlag } from "@belay/protocol";

/** A flag that is on for the first `ppm` parts of its space. */
export function rollout(ppm: number): SnapshotFlag {
  return {
    type: "boolean",
    variants: { on: true, off: false },
    enabled: true,
    off: "off",
    spaces: { share: { salt: "abcdefgh" } },
    rules: [{ id: "r1", serve: { split: [{ variant: "on", draws: [{ space: "share", in: [[0, ppm]] }] }] } }],
    fallthrough: { variant: "off" },
  };
}

/** An experiment that puts everybody into one of two arms and records it. */
export function experiment(name = "exp-1", epoch = 1): SnapshotFlag {
  const part = (variant: string, from: number, to: number) => ({
    variant,
    draws: [{ space: "split", in: [[from, to]] as [[number, number]] }],
    tracks: { experiment: name, epoch },
  });
  return {
    type: "string",
    variants: { compact: "compact", roomy: "roomy" },
    enabled: true,
    spaces: { split: { salt: "ijklmnop" } },
    rules: [{ id: "r1", serve: { split: [part("compact", 0, 500_000), part("roomy", 500_000, 1_000_000)] } }],
  };
}

export function snapshotOf(revision: number, flags: Record<string, SnapshotFlag>): Snapshot {
  return { format: 1, project: "default", environment: "production", revision, spaces: {}, segments: {}, flags };
}

export function changeOf(revision: number, flags: Record<string, SnapshotFlag | null>, from = revision - 1): SnapshotChange {
  return { format: 1, project: "default", environment: "production", from, revision, spaces: {}, segments: {}, flags };
}
