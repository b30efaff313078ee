/**
 * A map whose next version costs what changes and not what there is: a copy shares the base and takes along the few
 * entries written since. Its maker writes to it before anybody else sees it, and nobody after.
 *
 *   base    20,000 entries, shared by the versions made of it
 *   edits   what was written since, `undefined` for what is gone; once they are many they become a base of their own
 *
 * With n entries the edits are at most about the root of n, and so is what a version costs on the average. A trie would
 * cost less still at a million entries, and read, start and iterate several times slower at every size.
 */
export class LayeredMap<V> implements ReadonlyMap<string, V> {
  readonly #base: ReadonlyMap<string, V>;
  readonly #edits: Map<string, V | undefined>;
  #size: number;

  private constructor(base: ReadonlyMap<string, V>, edits: Map<string, V | undefined>, size: number) {
    this.#base = base;
    this.#edits = edits;
    this.#size = size;
  }

  /** A copy to write to. The map it is made of must not be written to any more. */
  static copy<V>(map: ReadonlyMap<string, V>): LayeredMap<V> {
    if (!(map instanceof LayeredMap)) return new LayeredMap(map, new Map(), map.size);
    const layered = map as LayeredMap<V>;
    const edits = layered.#edits;
    if (edits.size ** 2 > layered.#base.size) return new LayeredMap(merged(layered.#base, edits), new Map(), layered.size);
    return new LayeredMap(layered.#base, new Map(edits), layered.size);
  }

  get size(): number {
    return this.#size;
  }

  get(key: string): V | undefined {
    const edited = this.#edits.get(key);
    return edited !== undefined || this.#edits.has(key) ? edited : this.#base.get(key);
  }

  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  /** Writes an entry, or removes it where `value` is absent. */
  put(key: string, value: V | undefined): void {
    this.#size += (value === undefined ? 0 : 1) - (this.has(key) ? 1 : 0);
    this.#edits.set(key, value);
  }

  /** In the order in which keys first came, as of a map of the language. */
  *entries(): Generator<[string, V], undefined> {
    const edits = this.#edits;
    for (const [key, old] of this.#base) {
      const value = edits.has(key) ? edits.get(key) : old;
      if (value !== undefined) yield [key, value];
    }
    for (const [key, value] of edits) if (value !== undefined && !this.#base.has(key)) yield [key, value];
    return undefined;
  }

  *keys(): Generator<string, undefined> {
    for (const [key] of this.entries()) yield key;
    return undefined;
  }

  *values(): Generator<V, undefined> {
    for (const [, value] of this.entries()) yield value;
    return undefined;
  }

  [Symbol.iterator](): Generator<[string, V], undefined> {
    return this.entries();
  }

  forEach(each: (value: V, key: string, map: ReadonlyMap<string, V>) => void): void {
    for (const [key, value] of this.entries()) each(value, key, this);
  }
}

/** The base with the edits in it. A map of the language copies one of its own kind many times faster than anything it iterates. */
function merged<V>(base: ReadonlyMap<string, V>, edits: ReadonlyMap<string, V | undefined>): Map<string, V> {
  const whole = new Map(base);
  for (const [key, value] of edits) {
    if (value === undefined) whole.delete(key);
    else whole.set(key, value);
  }
  return whole;
}
