/**
 * A set of positive integers kept as runs: what a client sends in order costs two numbers, however much it is.
 *
 *   received 1 2 3 4 7 8  ->  bounds [1, 4, 7, 8]
 *
 * Runs are bounded. Over the bound the two lowest are joined, the gap between them counting as received: an event that
 * old and that far out of order is given up rather than memory.
 */
export class IntervalSet {
  /** First and last of each run, ascending; runs never touch. */
  #bounds: number[] = [];
  readonly #runsMax: number;

  constructor(runsMax: number = RUNS_MAX) {
    this.#runsMax = runsMax;
  }

  /** Number of runs. */
  get runs(): number {
    return this.#bounds.length / 2;
  }

  /** First and last of each run, one after the other. */
  bounds(): number[] {
    return this.#bounds.slice();
  }

  has(value: number): boolean {
    const at = this.#firstEndingAtOrAfter(value);
    return at < this.#bounds.length && this.#bound(at) <= value;
  }

  /** Adds one value; false when it was there. */
  add(value: number): boolean {
    const last = this.#bounds.length - 1;
    if (last > 0 && value === this.#bound(last) + 1) {
      this.#bounds[last] = value;
      return true;
    }
    if (this.has(value)) return false;
    this.addRun(value, value);
    return true;
  }

  /** Adds every value from `from` to `to`, both included. */
  addRun(from: number, to: number): void {
    const start = this.#firstEndingAtOrAfter(from - 1);
    let end = start;
    let low = from;
    let high = to;
    while (end < this.#bounds.length && this.#bound(end) <= to + 1) {
      low = Math.min(low, this.#bound(end));
      high = Math.max(high, this.#bound(end + 1));
      end += 2;
    }
    // Copies are cut to size: an array that grew by itself keeps room for 16 more, in each of 100,000 sets.
    this.#bounds = this.#bounds.toSpliced(start, end - start, low, high);
    if (this.runs > this.#runsMax) this.#bounds.splice(1, 2);
  }

  /** Takes every value from `from` to `to` out again. */
  removeRun(from: number, to: number): void {
    const start = this.#firstEndingAtOrAfter(from);
    let end = start;
    const kept: number[] = [];
    while (end < this.#bounds.length && this.#bound(end) <= to) {
      if (this.#bound(end) < from) kept.push(this.#bound(end), from - 1);
      if (this.#bound(end + 1) > to) kept.push(to + 1, this.#bound(end + 1));
      end += 2;
    }
    this.#bounds = this.#bounds.toSpliced(start, end - start, ...kept);
  }

  /** Index of the first run that ends at `value` or later; past the end when none does. */
  #firstEndingAtOrAfter(value: number): number {
    let low = 0;
    let high = this.runs;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#bound(2 * middle + 1) < value) low = middle + 1;
      else high = middle;
    }
    return 2 * low;
  }

  #bound(at: number): number {
    return this.#bounds[at] as number;
  }
}

/** A client that loses every second event still has its last 1,000 gaps remembered: 16 kB at most. */
const RUNS_MAX = 1_000;
