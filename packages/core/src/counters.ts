/** Evaluations by flag and variant: one typed array for all flags, in which each has a few slots. */
import type { EvaluationCount, FlagKey } from "@belay/protocol";
import type { CompiledFlag } from "./program.ts";

export class Counters {
  #counts = new Uint32Array(1_024);
  readonly #moved: (counts: Uint32Array) => void;
  #slots = 0;
  /** Counts of flags that a change replaced, until they are taken. */
  readonly #carried = new Map<string, EvaluationCount>();

  /**
   * @param moved told of the array, at once and whenever there is another one: who counts holds it, and waits for one load
   *   less. An evaluation counts at `flag.slot + outcome.slot`
   */
  constructor(moved: (counts: Uint32Array) => void) {
    this.#moved = moved;
    moved(this.#counts);
  }

  /** Gives the flag its slots. `others` are those that have theirs: they move together when there is no room. */
  place(flag: CompiledFlag, others: Iterable<CompiledFlag>): void {
    if (this.#slots + slotsOf(flag) > this.#counts.length) this.#repack(slotsOf(flag), [...others]);
    flag.slot = this.#slots;
    this.#slots += slotsOf(flag);
  }

  /** Room for so many more slots, now: making it while somebody waits for a first answer would take milliseconds. */
  reserve(more: number): void {
    if (more === 0) return;
    const counts = new Uint32Array(this.#counts.length + more);
    counts.set(this.#counts);
    this.#replace(counts);
  }

  /** Takes the flag's counts out of its slots, for whoever asks next. */
  carry(key: FlagKey, flag: CompiledFlag): void {
    this.#collect(flag);
    for (let slot = 0; slot <= flag.program.variants.length; slot++) {
      const count = this.#counts[flag.slot + slot];
      if (count === undefined || count === 0) continue;
      const variant = slot === 0 ? undefined : flag.program.variants[slot - 1];
      const name = JSON.stringify([key, variant]);
      const carried = this.#carried.get(name)?.count ?? 0;
      this.#carried.set(name, { flag: key, ...(variant === undefined ? {} : { variant }), count: carried + count });
      this.#counts[flag.slot + slot] = 0;
    }
  }

  /** Evaluations counted since the last call; starts them at 0 again. */
  take(flags: Iterable<[FlagKey, CompiledFlag]>): EvaluationCount[] {
    for (const [key, flag] of flags) this.carry(key, flag);
    const counts = [...this.#carried.values()];
    this.#carried.clear();
    return counts;
  }

  /** Adds what the flag has counted in itself: see `way.ts`. Its counts wrap into the negative; here they are 32 bits without a sign. */
  #collect(flag: CompiledFlag): void {
    const { asked, above } = flag;
    if (asked === 0) return;
    const [first, second] = flag.program.plainLine?.outcomes ?? [];
    this.#add(flag.slot + (first?.slot ?? 0), (asked - above) >>> 0);
    this.#add(flag.slot + (second?.slot ?? 0), above >>> 0);
    flag.asked = 0;
    flag.above = 0;
  }

  #add(slot: number, count: number): void {
    this.#counts[slot] = (this.#counts[slot] ?? 0) + count;
  }

  /** Closes the gaps that replaced flags left, and doubles the counters if there is still no room for `more`. */
  #repack(more: number, flags: readonly CompiledFlag[]): void {
    const needed = flags.reduce((sum, flag) => sum + slotsOf(flag), more);
    const counts = new Uint32Array(needed > this.#counts.length / 2 ? this.#counts.length * 2 + more : this.#counts.length);
    this.#slots = 0;
    for (const flag of flags) {
      counts.set(this.#counts.subarray(flag.slot, flag.slot + slotsOf(flag)), this.#slots);
      flag.slot = this.#slots;
      this.#slots += slotsOf(flag);
    }
    this.#replace(counts);
  }

  #replace(counts: Uint32Array<ArrayBuffer>): void {
    this.#counts = counts;
    this.#moved(counts);
  }
}

/** One counter for the caller's default, one for each variant. */
function slotsOf(flag: CompiledFlag): number {
  return flag.program.variants.length + 1;
}
