/*
 * A release's events, read once more from the store in the order they arrived, as its guardrails saw them.
 *
 *   exposures ──────────> units first exposed, by stretch and arm
 *   events of a guardrail ─> a watch of its own ─> looks ─> what was counted, by share and arm
 *
 * Whoever else reads a row on its way is handed it: no event is asked for twice.
 */
import type {
  EpochMs,
  ExposureStretch,
  Guardrail,
  GuardrailLook,
  GuardrailRecord,
  GuardrailStratum,
  Json,
} from "@belay/protocol";
import { SPACE_PPM } from "@belay/protocol";
import { guardrailVerdict, type Moments, mergeMoments, NO_MOMENTS } from "@belay/stats";
import { readValue } from "../../metrics/selection.ts";
import { type Epoch, type HeardEvent, type Reading, ReleaseWatch } from "../guardrails.ts";
import { type Contrast, only, type Placement } from "../placement.ts";
import { type Source, sourceOf } from "../source.ts";
import { UnitSet } from "../unit-set.ts";
import { effectOver, type Stratum } from "./effect.ts";
import type { Share } from "./timeline.ts";

/** An event as the store gives it back. */
export interface EventRow {
  readonly unit: string;
  readonly receivedAt: EpochMs;
  readonly variant?: string;
  readonly value?: number;
  readonly properties?: NonNullable<HeardEvent["properties"]> | null;
  readonly attributes?: { readonly [name: string]: Json } | null;
}

/** Units of a generation that are remembered at once: one set of them is some 40 MB at most. */
const UNITS_MAX = 250_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
/** Judging costs more the longer a release ran, so that one is judged so many times at most, besides the changes of its share. */
const JUDGED_MAX = 500;
/** Rows between two turns that others get. */
const TURN_ROWS = 500;

/** Counts the units first exposed in each stretch. */
export async function countExposed(
  rows: AsyncIterable<EventRow>,
  { shares, isTreated }: { readonly shares: readonly Share[]; readonly isTreated: (variant: string) => boolean },
): Promise<ExposureStretch[]> {
  const seen = new UnitSet(UNITS_MAX);
  const starts = shares.map(({ from }) => Date.parse(from));
  const counts = shares.map(() => ({ treated: 0, control: 0 }));
  for await (const { unit, variant, receivedAt } of inTurns(rows)) {
    // What came before the first share, by a clock that ran behind, belongs to it.
    const stretch =
      counts[
        Math.max(
          0,
          starts.findLastIndex((start) => start <= receivedAt),
        )
      ];
    if (stretch === undefined || !seen.add(unit)) continue;
    stretch[variant !== undefined && isTreated(variant) ? "treated" : "control"] += 1;
  }
  return shares.map((share, index) => ({
    ...share,
    ...(shares[index + 1] === undefined ? {} : { to: shares[index + 1]?.from ?? "" }),
    treated: counts[index]?.treated ?? 0,
    control: counts[index]?.control ?? 0,
  }));
}

export interface Judged {
  readonly placement: Placement;
  /** The one of its contrasts that is judged. */
  readonly contrast: Contrast;
  readonly epochs: readonly Epoch[];
  /** How far its events are read. */
  readonly until: EpochMs;
  /** What may move the release, each guardrail once for each treatment: they share the chance of a false rollback. */
  readonly judging: number;
}

/** Judges one guardrail over all its events: a minute at a time, or a five hundredth of its life where that is longer. */
export async function judgeGuardrail(
  rows: AsyncIterable<EventRow>,
  guardrail: Guardrail,
  judged: Judged,
): Promise<GuardrailRecord> {
  const replay = new Replay(guardrail, judged);
  for await (const row of inTurns(rows)) replay.take(row);
  const { metric, measure, harm, tolerance = 0, margin, onBreach, dryRun = false } = guardrail;
  const { looks, strata } = replay.end();
  const { name: event, ...chosen } = sourceOf(measure).selection;
  const { treatment } = judged.contrast;
  return {
    ...{ metric, event, ...chosen, kind: measure.kind, harm, tolerance, margin, onBreach, isDryRun: dryRun, looks },
    ...(treatment === undefined ? {} : { treatment }),
    strata: strata.map(({ reach, treated, control }): GuardrailStratum => {
      const counted = ({ n, mean }: Moments) => (measure.kind === "values" && n > 0 ? { units: n, mean } : { units: n });
      return { percentage: 100 * reach, treated: counted(treated), control: counted(control) };
    }),
    effect: effectOver(strata, measure.kind),
  };
}

/** The same rows, each shown to somebody else on its way. */
export async function* shownTo(rows: AsyncIterable<EventRow>, see: (row: EventRow) => void): AsyncGenerator<EventRow> {
  for await (const row of rows) {
    see(row);
    yield row;
  }
}

/** Lets others have their turn now and then: rows come a page at a time, and a page must not hold up what serves applications. */
export async function* inTurns(rows: AsyncIterable<EventRow>): AsyncGenerator<EventRow> {
  let count = 0;
  for await (const row of rows) {
    yield row;
    count += 1;
    if (count % TURN_ROWS === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}

/** What was counted under one share of everybody: as a share, and those treated of the units that were compared. */
interface ReachStratum extends Stratum {
  readonly reach: number;
}

class Replay {
  readonly #guardrail: Guardrail;
  readonly #judged: Judged;
  readonly #source: Source;
  readonly #watch: ReleaseWatch;
  /** By points of the share's line. */
  readonly #strata = new Map<number, { share: number; treated: Moments; control: Moments }>();
  readonly #looks: GuardrailLook[] = [];
  readonly #stepMs: number;
  #epoch = 0;
  /** Of the last event that was counted, and of the last one judged. */
  #countedAt: EpochMs | undefined;
  #judgedAt: EpochMs | undefined;

  constructor(guardrail: Guardrail, judged: Judged) {
    this.#guardrail = guardrail;
    this.#source = sourceOf(guardrail.measure);
    this.#judged = judged;
    const { placement, contrast, epochs, until } = judged;
    this.#stepMs = Math.max(MINUTE_MS, (until - (epochs[0]?.from ?? until)) / JUDGED_MAX);
    this.#watch = new ReleaseWatch({
      placement: only(placement, contrast),
      guardrails: [guardrail],
      epochs: epochs.slice(0, 1),
      unitsMax: UNITS_MAX,
    });
  }

  take({ receivedAt, ...row }: EventRow): void {
    const last = this.#countedAt;
    const isNextStep = last !== undefined && Math.floor(receivedAt / this.#stepMs) !== Math.floor(last / this.#stepMs);
    const { epochs } = this.#judged;
    const isNextEpoch = receivedAt >= (epochs[this.#epoch + 1]?.from ?? Number.POSITIVE_INFINITY);
    if (isNextStep || isNextEpoch) this.#judge(isNextEpoch);
    while (receivedAt >= (epochs[this.#epoch + 1]?.from ?? Number.POSITIVE_INFINITY)) this.#epoch += 1;
    if (isNextEpoch) this.#watch.follow(epochs.slice(0, this.#epoch + 1));
    const { selection } = this.#source;
    if (!this.#watch.noteMetric({ ...row, name: selection.name }, receivedAt)) return;
    this.#countedAt = receivedAt;
    this.#tally(row.unit, readValue(selection, row) ?? 0);
  }

  end(): { readonly looks: readonly GuardrailLook[]; readonly strata: readonly ReachStratum[] } {
    this.#judge(true);
    const strata = [...this.#strata].sort(([a], [b]) => a - b).map(([ppm, arms]) => ({ reach: ppm / SPACE_PPM, ...arms }));
    return { looks: this.#looks, strata };
  }

  #tally(unit: string, value: number): void {
    const ppm = this.#judged.epochs[this.#epoch]?.ppm ?? 0;
    const { placement, contrast } = this.#judged;
    const side = contrast.sideOf(placement.markOf(unit), ppm);
    // Where all who are compared are on one side, nothing is told.
    if (side === undefined || side.share === 0 || side.share === 1) return;
    const { measure } = this.#guardrail;
    const counted = measure.kind === "values" ? Math.min(value, measure.cap) : 1;
    const arms = this.#strata.get(ppm) ?? { share: side.share, treated: NO_MOMENTS, control: NO_MOMENTS };
    const arm = side.isTreated ? "treated" : "control";
    arms[arm] = mergeMoments(arms[arm], { n: 1, mean: counted, m2: 0 });
    this.#strata.set(ppm, arms);
  }

  /** Looks at what was counted; kept once an hour, where its verdict changed, and where it must be. */
  #judge(isKept: boolean): void {
    const at = this.#countedAt;
    if (at === undefined || at === this.#judgedAt) return;
    this.#judgedAt = at;
    const [fact] = this.#watch.read().guardrails as [Reading["guardrails"][number]];
    const { logE, isNonInferior, daysToTell } = fact;
    const verdict = guardrailVerdict({ logE, guardrails: this.#judged.judging });
    const last = this.#looks.at(-1);
    const isNextHour = last === undefined || Math.floor(at / HOUR_MS) !== Math.floor(Date.parse(last.at) / HOUR_MS);
    if (!isKept && !isNextHour && verdict === last.verdict) return;
    const counts = [...this.#strata.values()];
    this.#looks.push({
      at: new Date(at).toISOString(),
      percentage: (100 * (this.#judged.epochs[this.#epoch]?.ppm ?? 0)) / SPACE_PPM,
      treated: counts.reduce((sum, { treated }) => sum + treated.n, 0),
      control: counts.reduce((sum, { control }) => sum + control.n, 0),
      logEvidence: logE,
      verdict,
      ...(isNonInferior === undefined ? {} : { isNonInferior }),
      ...(daysToTell === undefined ? {} : { daysToTell }),
    });
  }
}
