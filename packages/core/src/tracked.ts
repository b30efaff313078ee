import type { EvaluationContext, Tracks, VariantName } from "@belay/protocol";
import { type AttributeReader, isPlain, readAttribute, unitText } from "./attribute.ts";
import type { Seeds } from "./fingerprint.ts";
import { murmur3 } from "./murmur3.ts";

/** What an exposure through a part is recorded for, and who is the unit there. */
export class Tracked implements Seeds {
  readonly experiment: string | undefined;
  readonly release: string | undefined;
  readonly epoch: number;
  readonly variant: VariantName;
  /** 32 bits that differ for each experiment or release, as a small integer. */
  readonly subjectSeed: number;
  /** 32 bits that differ for each (experiment or release, epoch, variant), as a small integer. */
  readonly armSeed: number;
  /** Whether the arm's decisions differ, found at its first exposure; `depends` where each unit has to be asked for. */
  differs: boolean | "depends" | undefined;
  readonly #by: AttributeReader;
  readonly #isUsual: boolean;

  constructor(tracks: Tracks, variant: VariantName, by: AttributeReader) {
    this.experiment = "experiment" in tracks ? tracks.experiment : undefined;
    this.release = "release" in tracks ? tracks.release : undefined;
    this.epoch = tracks.epoch ?? 0;
    this.variant = variant;
    const subject = [this.experiment ?? null, this.release ?? null];
    this.subjectSeed = murmur3(JSON.stringify(subject)) | 0;
    this.armSeed = murmur3(JSON.stringify([...subject, this.epoch, variant])) | 0;
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
