import type { Condition, Draw, FlagTest, Part, Rule, Serve, SnapshotFlag, Space, SpaceId, Tracks } from "@belay/protocol";
import type { Dice } from "@belay/testkit";

export const COUNTRIES = ["DE", "AT", "CH"] as const;
export const VARIANTS: SnapshotFlag["variants"] = { a: 1, b: 2, c: 3, alsoA: 1 };
export const LAYERS = ["layer/one", "layer/two"] as const;
export const HOLDOUT = "holdout/q4";
export const OWN_SPACES = ["share", "split"] as const;

/** What the rules of a flag, or a segment, may name: only what does not name them. */
export interface Reach {
  readonly spaces: readonly SpaceId[];
  readonly segments: readonly string[];
  readonly flags: readonly string[];
  /** The most rules. */
  readonly rules: number;
}

/** Few, so that spaces meet under several names, as those of a copied flag do. */
const SALTS = 6;

/** Makes random pieces of targeting: everything the wire can say but another product's hashes. */
export class RandomTargeting {
  readonly dice: Dice;
  readonly #hasTests: boolean;
  readonly #salts: readonly string[];

  /** @param hasTests whether conditions test attributes: nobody knows the share of units that these hold for. */
  constructor(dice: Dice, { hasTests }: { readonly hasTests: boolean }) {
    this.dice = dice;
    this.#hasTests = hasTests;
    this.#salts = Array.from({ length: SALTS }, () => this.#salt());
  }

  chance(share: number): boolean {
    return this.dice.fraction() < share;
  }

  variant(): string {
    return this.dice.pick(Object.keys(VARIANTS));
  }

  /** `targetingKey` is what divides a space that does not say, so to say it changes nothing. */
  space(): Space {
    const by = this.chance(0.7) ? {} : { by: this.dice.pick(["account", "targetingKey"]) };
    return { salt: this.dice.pick(this.#salts), ...by };
  }

  ranges(): Draw["in"] {
    const edges = this.#edges(this.dice.pick([0, 2, 2, 2, 2, 4]));
    return Array.from({ length: Math.floor(edges.length / 2) }, (_, i) => [edges[2 * i] as number, edges[2 * i + 1] as number]);
  }

  condition(reach: Reach, depth = 1): Condition {
    const { dice } = this;
    const inner = (): Condition => this.condition(reach, depth - 1);
    if (this.#hasTests && this.chance(0.5)) return { attribute: "country", op: "in", value: dice.pick(COUNTRIES) };
    const kind = dice.below(depth === 0 ? 4 : 8);
    if (kind === 1 && reach.segments.length > 0) return { segment: dice.pick(reach.segments) };
    if (kind === 2 && reach.flags.length > 0) return this.flagTest(reach);
    if (kind === 5) return { not: inner() };
    if (kind === 6) return { all: [inner(), inner()] };
    if (kind === 7) return { any: [inner(), inner()] };
    return { draw: { space: dice.pick(reach.spaces), in: this.ranges() } };
  }

  flagTest({ flags }: Reach): FlagTest {
    const variants = this.dice.shuffled(Object.keys(VARIANTS)).slice(0, 1 + this.dice.below(3));
    return { flag: this.dice.pick(flags), variants };
  }

  serve(reach: Reach): Serve {
    const { dice } = this;
    if (this.chance(0.2)) return { variant: this.variant() };
    if (this.chance(0.3)) return { split: Array.from({ length: 1 + dice.below(3) }, () => this.#loosePart(reach)) };
    const outer = dice.pick([undefined, "share", ...LAYERS]);
    const draws = outer === undefined ? [] : [{ space: outer, in: this.ranges() }];
    return { split: this.weighted({ draws, ...(this.chance(0.7) ? { tracks: this.#tracks() } : {}) }) };
  }

  /** Parts as weights are kept: side by side in the split space, all within the same share or the same place of a layer. */
  weighted({ draws, ...tracked }: Omit<Part, "variant">): Part[] {
    const names = this.dice.shuffled(Object.keys(VARIANTS)).slice(0, 2 + this.dice.below(3));
    const edges = [0, ...this.#edges(names.length - 1), 1_000_000];
    return names.flatMap((variant, i) => {
      const [from = 0, to = from] = edges.slice(i, i + 2);
      return from < to ? [{ variant, draws: [...draws, { space: "split", in: [[from, to]] }], ...tracked }] : [];
    });
  }

  rule(reach: Reach, id: string): Rule {
    return { id, ...(this.chance(0.9) ? { when: this.condition(reach) } : {}), serve: this.serve(reach) };
  }

  rules(reach: Reach): Rule[] {
    const { dice } = this;
    const rules = Array.from({ length: dice.below(reach.rules + 1) }, (_, i) => this.rule(reach, `r${i}`));
    if (!this.chance(0.2)) return rules;
    const when = { draw: { space: HOLDOUT, in: this.ranges() } };
    return [{ id: "held", when, serve: { variant: this.variant() } }, ...rules];
  }

  flag(reach: Reach): SnapshotFlag {
    return {
      type: "number",
      variants: VARIANTS,
      spaces: { share: this.space(), split: this.space() },
      enabled: this.chance(0.95),
      ...(this.chance(0.8) ? { off: this.variant() } : {}),
      ...(reach.flags.length > 0 && this.chance(0.2) ? { prerequisites: [this.flagTest(reach)] } : {}),
      rules: this.rules(reach),
      ...(this.chance(0.85) ? { fallthrough: this.serve(reach) } : {}),
    };
  }

  /** Any draws at all: such parts may overlap and leave gaps. */
  #loosePart({ spaces }: Reach): Part {
    const { dice } = this;
    const draws = Array.from({ length: dice.below(3) }, () => ({ space: dice.pick(spaces), in: this.ranges() }));
    return { variant: this.variant(), draws, ...(this.chance(0.5) ? { tracks: this.#tracks() } : {}) };
  }

  #tracks(): Tracks {
    const { dice } = this;
    return this.chance(0.8) ? { experiment: dice.pick(["x", "y"]), epoch: dice.below(9) } : { release: "z" };
  }

  #salt(): string {
    return Array.from({ length: 8 }, () => this.dice.pick([..."abcdefghijklmnopqrstuvwxyz234567"])).join("");
  }

  /** Different points of a space, ascending. */
  #edges(count: number): number[] {
    return [...new Set(Array.from({ length: count }, () => this.dice.below(1_000_001)))].sort((a, b) => a - b);
  }
}
