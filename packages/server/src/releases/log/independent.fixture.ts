/*
 * The numbers of a release's log, once more, from what anybody can pull: lines of exposures and metric events, and the audit log.
 * Plain loops that share nothing with the product. A unit is treated when it was told so: nothing is hashed here.
 */

interface Event {
  readonly unit: string;
  readonly received_at: string;
  readonly variant?: string;
  readonly value?: number;
}

interface Change {
  readonly id: number;
  readonly at: string;
  readonly action: string;
  readonly after?: {
    readonly state: string;
    readonly stage?: number;
    readonly rollback?: { readonly detectedAt?: string; readonly decidedAt: string };
    readonly epochs: readonly { readonly from: string; readonly percentage: number }[];
  };
}

interface Raw {
  readonly exposures: readonly Event[];
  readonly errors: readonly Event[];
  readonly latencies: readonly Event[];
  readonly changes: readonly Change[];
}

export function recomputed({ exposures, errors, latencies, changes }: Raw) {
  const last = changes[changes.length - 1]?.after;
  const epochs = (last?.epochs ?? []).map(({ from, percentage }) => ({ from: Date.parse(from), percentage }));
  const gone = Date.parse(changes.find(({ action }) => action === "release.rollback")?.at ?? "");
  const told = new Set(exposures.filter(({ variant }) => variant === "on").map(({ unit }) => unit));

  const starts = [...epochs.map(({ from }) => from), gone];
  const exposed = starts.map(() => ({ treated: 0, control: 0 }));
  const met = new Set<string>();
  for (const { unit, variant, received_at } of exposures) {
    if (met.has(unit)) continue;
    met.add(unit);
    let index = 0;
    while (index + 1 < starts.length && Date.parse(received_at) >= (starts[index + 1] as number)) index += 1;
    const row = exposed[index] as { treated: number; control: number };
    if (variant === "on") row.treated += 1;
    else row.control += 1;
  }

  const epochAt = (at: number): number => {
    let index = 0;
    while (index + 1 < epochs.length && at >= (epochs[index + 1]?.from as number)) index += 1;
    return index;
  };
  const firsts = (events: readonly Event[]): { index: number; hour: number; isTreated: boolean; value: number }[] => {
    const once = new Set<string>();
    const found = [];
    for (const { unit, received_at, value = 0 } of events) {
      const at = Date.parse(received_at);
      if (once.has(unit) || at > gone) continue;
      once.add(unit);
      const hour = Math.floor((at - (epochs[0]?.from as number)) / 3_600_000);
      found.push({ index: epochAt(at), hour, isTreated: told.has(unit), value });
    }
    return found;
  };

  const failed = firsts(errors);
  const failures = epochs.map(({ percentage }, index) => {
    const here = failed.filter((one) => one.index === index);
    const treated = here.filter(({ isTreated }) => isTreated).length;
    return { percentage, treated: { units: treated }, control: { units: here.length - treated } };
  });
  let above = 0;
  let below = 0;
  let spread = 0;
  for (const { percentage, treated, control } of failures) {
    const share = percentage / 100;
    above += treated.units * (1 - share);
    below += control.units * share;
    spread += (treated.units + control.units) * share * (1 - share);
  }
  const width = 1.959963984540054 * Math.sqrt(spread / (above * below));
  const rateRatio = {
    value: above / below - 1,
    low: (above / below) * Math.exp(-width) - 1,
    high: (above / below) * Math.exp(width) - 1,
  };

  const took = firsts(latencies);
  const values = epochs.map((_, index) => {
    const arm = (wanted: boolean): { units: number; mean: number } => {
      let units = 0;
      let total = 0;
      for (const { index: at, isTreated, value } of took) {
        if (at !== index || isTreated !== wanted) continue;
        units += 1;
        total += Math.min(value, 1_000);
      }
      return { units, mean: total / units };
    };
    return { treated: arm(true), control: arm(false) };
  });
  let [treatedMean, controlMean] = [0, 0];
  for (const { treated, control } of values) {
    const weight = (treated.units * control.units) / (treated.units + control.units);
    treatedMean += weight * treated.mean;
    controlMean += weight * control.mean;
  }

  const within = (at: number): number => Date.parse(changes[at]?.at ?? "");
  let holding = 0;
  for (const [index, { after }] of changes.entries()) {
    if (after?.state === "holding") holding += within(index + 1) - within(index);
  }
  const missed = rateRatio.value - 0.05;
  return {
    exposed,
    moves: changes.map(({ id, at }) => [id, at]),
    failures,
    values,
    rateRatio,
    meanRatio: treatedMean / controlMean - 1,
    logEvidence: evidence(failed, epochs),
    intervalScore: 0.1 + (2 / 0.1) * missed,
    detectedToDecided: Date.parse(last?.rollback?.decidedAt ?? "") - Date.parse(last?.rollback?.detectedAt ?? ""),
    holding,
    stayed: epochs.map(({ from }, index) => (epochs[index + 1]?.from ?? gone) - from),
  };
}

/** Ratios of failure rates that count as harm, and what each weighs. */
const RATIOS = [
  [1.1, 1],
  [1.25, 3],
  [1.5, 4],
  [2, 3],
  [3, 2],
  [5, 2],
  [10, 1],
] as const;

/** Two thirds of a mixture of likelihood ratios since the start, a third of those since each hour; an hour without failures is the next one's. */
function evidence(
  failed: readonly { readonly index: number; readonly hour: number; readonly isTreated: boolean }[],
  epochs: readonly { readonly percentage: number }[],
): number {
  const mixture = (from: number): number => {
    let sum = 0;
    for (const [ratio, sixteenths] of RATIOS) {
      let product = 1;
      for (const { index, hour, isTreated } of failed) {
        if (hour < from) continue;
        const share = (epochs[index]?.percentage ?? 0) / 100;
        product *= (isTreated ? ratio : 1) / (1 + share * (ratio - 1));
      }
      sum += (sixteenths * product) / 16;
    }
    return sum;
  };
  // The first day has half of the weight, an equal part for each of its hours; what is to come is evidence 1.
  const lastHour = Math.max(...failed.map(({ hour }) => hour));
  let restarts = 1 - lastHour / 48;
  for (let hour = 1; hour <= lastHour; hour += 1) restarts += mixture(hour) / 48;
  return Math.log((2 * mixture(0) + restarts) / 3);
}
