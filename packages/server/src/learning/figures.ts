/*
 * The figures of how well a project learns: pure functions of plain facts. Every figure carries the cases it is made of; a case
 * that has no value yet is shown and counts in no number.
 */
import type {
  CalibrationFigure,
  DeploymentFigure,
  EpochMs,
  FlagDebtFigure,
  LearningCase,
  ShareFigure,
  SpanFigure,
  StaleReasonCode,
  TeamCalibration,
} from "@belay/protocol";
import { calibrate, type Prediction } from "@belay/stats";

export interface Window {
  readonly from: EpochMs;
  readonly to: EpochMs;
}

/** A thing that happened, with how long it took; absent while that is not over. */
export interface Spanned {
  readonly of: LearningCase;
  readonly ms?: number;
}

/** A thing with a part that is as it should be. */
export interface Parted {
  readonly of: LearningCase;
  readonly good: number;
  readonly all: number;
}

/** A prediction that came to an end. */
export interface Predicted {
  readonly of: LearningCase;
  readonly team: string;
  readonly prediction: Prediction;
  /** As a share of control; absent where nothing measured it, and the case says why. */
  readonly actual?: number;
}

type Measured = Required<Predicted>;

export interface Debt {
  readonly of: LearningCase;
  readonly reasons: readonly StaleReasonCode[];
}

const WEEK_MS = 7 * 86_400_000;

export function deploymentsOf(starts: readonly LearningCase[], { from, to }: Window): DeploymentFigure {
  const weeks = Math.max(1, to - from) / WEEK_MS;
  return { started: starts.length, perWeek: starts.length / weeks, cases: newestFirst(starts) };
}

/** @param targetMs what each should not exceed */
export function spansOf(spans: readonly Spanned[], targetMs: number): SpanFigure {
  const measured = spans.flatMap(({ ms }) => (ms === undefined ? [] : [ms])).sort((a, b) => a - b);
  const [p50, p90] = [nearestRank(measured, 0.5), nearestRank(measured, 0.9)];
  return {
    count: measured.length,
    ...(p50 === undefined ? {} : { p50 }),
    ...(p90 === undefined ? {} : { p90 }),
    target: targetMs,
    withinTarget: measured.filter((ms) => ms <= targetMs).length,
    cases: newestFirst(spans.map(({ of, ms }) => (ms === undefined ? of : { ...of, value: ms }))),
  };
}

export function shareOf(parts: readonly Parted[], target: number): ShareFigure {
  const all = parts.reduce((sum, part) => sum + part.all, 0);
  const good = parts.reduce((sum, part) => sum + part.good, 0);
  return {
    count: parts.length,
    ...(all === 0 ? {} : { share: good / all }),
    target,
    // What is worst comes first: it is what the figure asks to be looked at.
    cases: parts
      .map((part) => (part.all === 0 ? part.of : { ...part.of, value: part.good / part.all }))
      .sort((a, b) => (a.value ?? 1) - (b.value ?? 1) || byName(a, b)),
  };
}

/** A case that says which metric it predicted keeps saying so in front of what came of it. */
export function calibrationOf(predicted: readonly Predicted[]): CalibrationFigure {
  const measured = predicted.flatMap(({ actual, ...one }) => (actual === undefined ? [] : [{ ...one, actual }]));
  const teams = [...new Set(measured.map(({ team }) => team))].sort();
  return {
    teams: teams.flatMap((team) =>
      teamOf(
        team,
        measured.filter((one) => one.team === team),
      ),
    ),
    cases: newestFirst(predicted.map(predictionCase)),
  };
}

function predictionCase({ of, prediction: { interval }, actual }: Predicted): LearningCase {
  if (actual === undefined) return of;
  const standing = actual >= interval.low && actual <= interval.high ? "inside" : "outside";
  return { ...of, value: actual, note: of.note === undefined ? standing : `${of.note}: ${standing}` };
}

function teamOf(team: string, predicted: readonly Measured[]): TeamCalibration[] {
  const scores = calibrate(predicted);
  if (scores.status !== "ok") return [];
  const { predictions, coverage, meanIntervalScore } = scores;
  const claimed = predicted.reduce((sum, { prediction }) => sum + prediction.interval.level, 0) / predicted.length;
  return [{ team, predictions, coverage, claimed, meanIntervalScore }];
}

/** @param flags how many there are, stale or not */
export function flagDebtOf(debts: readonly Debt[], flags: number): FlagDebtFigure {
  const count = (code: StaleReasonCode): number => debts.filter(({ reasons }) => reasons.includes(code)).length;
  return {
    flags,
    stale: debts.length,
    reasons: { full: count("full"), unseen: count("unseen"), overdue: count("overdue"), "asked-for": count("asked-for") },
    cases: newestFirst(debts.map(({ of }) => of)).reverse(),
  };
}

/** The smallest value that at least so large a share does not exceed: always one that was measured. */
function nearestRank(sorted: readonly number[], share: number): number | undefined {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}

function newestFirst(cases: readonly LearningCase[]): LearningCase[] {
  return [...cases].sort((a, b) => (a.at === b.at ? byName(a, b) : (a.at ?? "") < (b.at ?? "") ? 1 : -1));
}

function byName(a: LearningCase, b: LearningCase): number {
  const name = ({ kind, key, environment = "" }: LearningCase): string => `${kind} ${key} ${environment}`;
  return name(a) < name(b) ? -1 : 1;
}
