import type { EvaluationContext, Tracks, VariantName } from "@belay/protocol";
import { type AttributeReader, isPlain, readAttribute, unitText } from "./attribute.ts";
import { murmur3 } from "./murmur3.ts";

/** What an exposure through a part is recorded for, and who is the unit there. */
export class Tracked {
  readonly experiment: string | undefined;
  readonly release: string | undefined;
  readonly epoch: number;
  readonly variant: VariantName;
  /** 32 bits that differ for each (experiment or release, epoch, variant): the seed of the unit's dedupe fingerprint. */
  readonly seed: number;
  /** Whether the arm's decisions differ, found at its first exposure; `depends` where each unit has to be asked for. */
  differs: boolean | "depends" | undefined;
  readonly #by: AttributeReader;
  readonly #isUsual: boolean;

  constructor(tracks: Tracks, variant: VariantName, by: AttributeReader) {
    this.experiment = "experiment" in tracks ? tracks.experiment : undefined;
    this.release = "release" in tracks ? tracks.release : undefined;
    this.epoch = tracks.epoch ?? 0;
    this.variant = variant;
    this.seed = murmur3(JSON.stringify([this.experiment ?? null, this.release ?? null, this.epoch, variant]));
    this.#by = by;
    this.#isUsual = by.path === "targetingKey";
  }

  /**
   * The unit that is exposed: the attribute that the part's last draw divides by, `targetingKey` where there is none.
   * Hot path: the usual attribute is read by its literal name and before the prototype is looked at, as deciding does.
   */
  unit(context: EvaluationContext): string | undefined {
    const own = context.targetingKey;
    if (this.#isUsual && typeof own === "string" && own !== "" && isPlain(context)) return own;
    return unitText(readAttribute(this.#by, context, isPlain(context)));
  }
}
