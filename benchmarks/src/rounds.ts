/** Something to time: `run` does `operations` of them. */
export interface Contender {
  readonly name: string;
  readonly operations: number;
  readonly run: () => void | Promise<void>;
}

/** What the rounds of one contender came to, in nanoseconds an operation. */
export interface Timing {
  readonly name: string;
  readonly medianNs: number;
  readonly fastestNs: number;
  readonly slowestNs: number;
}

export interface Rounds {
  /** Timed rounds of each contender. */
  readonly rounds: number;
  /** Rounds before them that are not timed: the compiler's. */
  readonly warmups: number;
  /** Nanoseconds of a clock that only goes forward. */
  readonly nowNs?: () => number;
}

/**
 * Times contenders in interleaved rounds, A B A B: whatever the machine does meanwhile it does to all of them.
 * The order turns round every second time, so that nobody always runs on a warm cache of the other.
 *
 * @returns one timing a contender, in the order given
 */
export async function compareInRounds(
  contenders: readonly Contender[],
  { rounds, warmups, nowNs = clockNs }: Rounds,
): Promise<Timing[]> {
  const taken = new Map(contenders.map((contender) => [contender, [] as number[]]));
  for (let round = -warmups; round < rounds; round += 1) {
    for (const contender of round % 2 === 0 ? contenders : contenders.toReversed()) {
      const startedAt = nowNs();
      await contender.run();
      const tookNs = (nowNs() - startedAt) / contender.operations;
      if (round >= 0) taken.get(contender)?.push(tookNs);
    }
  }
  return [...taken].map(([{ name }, times]) => ({
    name,
    medianNs: quantile(times, 0.5),
    fastestNs: quantile(times, 0),
    slowestNs: quantile(times, 1),
  }));
}

/** The value that `share` of the values do not exceed, by nearest rank; NaN of nothing. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

function clockNs(): number {
  return performance.now() * 1e6;
}
