/** Dice that fall the same way for the same seed. Not for secrets. */
export interface Dice {
  /** A fraction from 0 to below 1, of 2^32 possible ones. */
  readonly fraction: () => number;
  /** A whole number from 0 to below `bound`; `bound` is at most 2^32. */
  readonly below: (bound: number) => number;
  /** One of the items; they must not be empty. */
  readonly pick: <T>(items: readonly T[]) => T;
  /** A new list of the same items in another order. */
  readonly shuffled: <T>(items: readonly T[]) => T[];
}

/**
 * Makes dice from a seed: a Weyl sequence through a 32-bit mixer, so that neighbouring seeds give unrelated throws.
 *
 * @param seed any integer; its lower 32 bits count. Print it when a simulation fails.
 */
export function seeded(seed: number): Dice {
  let state = mix(seed | 0);
  const fraction = (): number => {
    state = (state + 0x9e3779b9) | 0;
    return mix(state) / 0x1_0000_0000;
  };
  const below = (bound: number): number => Math.floor(fraction() * bound);
  return {
    fraction,
    below,
    pick: (items) => {
      if (items.length === 0) throw new RangeError("Nothing to pick from.");
      return items[below(items.length)] as (typeof items)[number];
    },
    shuffled: (items) => shuffle([...items], below),
  };
}

/** Scrambles 32 bits so that each input bit flips each output bit about half of the time. */
function mix(bits: number): number {
  let mixed = bits;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
  return (mixed ^ (mixed >>> 15)) >>> 0;
}

/** Fisher-Yates, in place. */
function shuffle<T>(items: T[], below: (bound: number) => number): T[] {
  for (let last = items.length - 1; last > 0; last -= 1) {
    const other = below(last + 1);
    [items[last], items[other]] = [items[other] as T, items[last] as T];
  }
  return items;
}
