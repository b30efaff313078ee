/* An experiment to ramp: its flag, its split inside a share of nothing, and where its units fall. */
import type { Json, ReleaseArm, SnapshotFlag, Space, Targeting } from "@belay/protocol";
import { shareDraw } from "../flags/weights.ts";
import { inArms, type Placement } from "./placement.ts";

export const EXPERIMENT = "checkout-test";
const SALTS = { share: { salt: "k3v9x2qa" }, split: { salt: "q7m2p4ra" } } as const;

/** A half for control, a quarter each for two treatments; in the order of their names, as weights come to lie. */
export const ARMS: readonly ReleaseArm[] = [
  { variant: "long", draws: [{ space: "split", in: [[0, 500_000]] }] },
  { variant: "none", draws: [{ space: "split", in: [[500_000, 750_000]] }] },
  { variant: "short", draws: [{ space: "split", in: [[750_000, 1_000_000]] }] },
];

/** Where `ARMS` put units under the salts of a flag: control 0, `none` 1, `short` 2. */
export function placedBy({ share, split }: { readonly share: Space; readonly split: Space }): Placement {
  const parts = ARMS.map(({ variant, draws }) => ({ variant, draws: draws.map((draw) => ({ salt: split.salt, in: draw.in })) }));
  return inArms({ share: share.salt, parts, names: ["long", "none", "short"] });
}

export const PLACED: Placement = placedBy(SALTS);

/** A targeting whose rollout lets so many into `ARMS`. */
export function inside(ppm: number): Targeting {
  const split = ARMS.map(({ variant, draws }) => ({
    variant,
    draws: [shareDraw(ppm), ...draws],
    tracks: { experiment: EXPERIMENT },
  }));
  return { enabled: true, off: "long", rules: [{ id: "rollout", serve: { split } }], fallthrough: { variant: "long" } };
}

/** The flag as SDKs hold it. */
export function flagOf(targeting: Targeting): SnapshotFlag {
  const variants: { readonly [name: string]: Json } = { long: "l", short: "s", none: "n" };
  return { type: "string", variants, spaces: SALTS, ...targeting };
}

/** Draft of an experiment with two treatments, as it is sent. */
export const DRAFT = {
  key: EXPERIMENT,
  hypothesis: "A shorter checkout sells more",
  flag: "checkout",
  environment: "production",
  control: "long",
  treatments: ["short", "none"],
  metrics: { primary: ["buyers"], secondary: [], guardrails: ["errors"] },
  alertRoute: "mailto:team@example.org",
} as const;
