/**
 * Remembers units so that each counts once, in bounded memory: two generations, and when the younger is full the older is
 * forgotten. A unit met again is young again, so only one that stayed away while `capacity` others came can count twice.
 */
export class UnitSet {
  readonly #capacity: number;
  #young = new Set<string>();
  #old = new Set<string>();

  /** @param capacity units of one generation; at most twice as many are held. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Notes a unit; `true` when it was not known. */
  add(unit: string): boolean {
    if (this.#young.has(unit)) return false;
    const isNew = !this.#old.has(unit);
    if (this.#young.size >= this.#capacity) [this.#old, this.#young] = [this.#young, new Set()];
    this.#young.add(unit);
    return isNew;
  }

  /** Entries held, for tests and metrics. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }
}
