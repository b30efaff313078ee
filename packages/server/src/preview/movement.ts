import { canonicalJson } from "@belay/core";
import type { ArmFlow, ExperimentKey, FlagKey, Movement, RuleFlow, ShareBounds, VariantFlow } from "@belay/protocol";
import type { LiveSnapshot } from "../state/snapshots.ts";
import { measure, type Tally } from "./measure.ts";
import { trackedThroughout } from "./tracked-throughout.ts";
import { type Definitions, type Question, type Served, walk } from "./walk.ts";

/** What a unit gets before and after an edit. */
interface Move {
  readonly before: Served;
  readonly after: Served;
}

type Tallies = readonly Tally<Move>[];

/**
 * Who changes value, variant, rule and arm of a flag between two states of an environment. Pure.
 *
 * @param questionsMax what the measurement may cost; `measure.ts` has the default.
 */
export function movementBetween(before: Definitions, after: Definitions, key: FlagKey, questionsMax?: number): Movement {
  const tallies = measure(() => walkBoth(before, after, key), questionsMax);
  const unexplored = percent(Math.max(...tallies.map((tally) => tally.unexplored)));
  const hasNewValue = valueChange(before, after, key);
  return {
    basis: tallies.length === 1 && tallies[0]?.unexplored === 0 ? "exact" : "bounds",
    ...(unexplored === 0 ? {} : { unexplored }),
    changed: bounds(tallies, hasNewValue),
    variants: variantFlows(tallies),
    rules: ruleFlows(tallies, hasNewValue),
    experiments: armFlows(tallies, trackedThroughout(before.flag(key), after.flag(key))),
  };
}

/** What a live snapshot defines. */
export function definitionsOf({ head, flags }: LiveSnapshot): Definitions {
  return {
    flag: (key) => flags.get(key),
    segment: (key) => (Object.hasOwn(head.segments, key) ? head.segments[key] : undefined),
    space: (id) => (Object.hasOwn(head.spaces, id) ? head.spaces[id] : undefined),
  };
}

function* walkBoth(before: Definitions, after: Definitions, key: FlagKey): Generator<Question, Move, boolean> {
  return { before: yield* walk(before, key), after: yield* walk(after, key) };
}

/** Two variants may have the same value, and one variant may get another: what counts is what the application sees. */
function valueChange(before: Definitions, after: Definitions, key: FlagKey): (move: Move) => boolean {
  const valueIn = (definitions: Definitions, { variant }: Served): string | undefined => {
    const variants = definitions.flag(key)?.variants ?? {};
    const value = variant !== undefined && Object.hasOwn(variants, variant) ? variants[variant] : undefined;
    return value === undefined ? undefined : canonicalJson(value);
  };
  return (move) => valueIn(before, move.before) !== valueIn(after, move.after);
}

/** Share of the units that `counts` holds for: the least and the most over all answers attributes can give. */
function bounds(tallies: Tallies, counts: (move: Move) => boolean): ShareBounds {
  const sums = tallies.map(({ cells, unexplored }) => {
    const share = cells.reduce((sum, cell) => (counts(cell.outcome) ? sum + cell.share : sum), 0);
    return { least: share, most: share + unexplored };
  });
  return { min: percent(Math.min(...sums.map(({ least }) => least))), max: percent(Math.max(...sums.map(({ most }) => most))) };
}

/** Ten decimals: what is exact in parts per million of two spaces stays exact, and the noise of adding up goes. */
function percent(share: number): number {
  return Math.min(100, Math.round(share * 1e12) / 1e10);
}

function variantFlows(tallies: Tallies): VariantFlow[] {
  return groups(tallies, ({ before, after }) => [[before.variant ?? null, after.variant ?? null]]).map(([from, to]) => ({
    ...(from == null ? {} : { from }),
    ...(to == null ? {} : { to }),
    share: bounds(
      tallies,
      ({ before, after }) => (before.variant ?? null) === (from ?? null) && (after.variant ?? null) === (to ?? null),
    ),
  }));
}

function ruleFlows(tallies: Tallies, hasNewValue: (move: Move) => boolean): RuleFlow[] {
  const placeOf = ({ place, rule }: Served): [RuleFlow["place"], string | null] => [place, rule ?? null];
  const places = groups(tallies, ({ before, after }) => [placeOf(before), placeOf(after)]);
  return places.map(([place, rule]) => {
    const isHere = (served: Served): boolean => served.place === place && (served.rule ?? null) === rule;
    return {
      place: place as RuleFlow["place"],
      ...(rule == null ? {} : { rule }),
      before: bounds(tallies, (move) => isHere(move.before)),
      after: bounds(tallies, (move) => isHere(move.after)),
      changed: bounds(tallies, (move) => isHere(move.after) && hasNewValue(move)),
    };
  });
}

/**
 * Experiments whose units change arms. Where not everything was explored none is cleared that the flag tracks before and
 * after: what no walk came to yet is known from the definitions alone.
 */
function armFlows(tallies: Tallies, tracked: readonly ExperimentKey[]): ArmFlow[] {
  const isWhole = tallies.every(({ unexplored }) => unexplored === 0);
  const crossed = groups(tallies, (move) => [[crossing(move) ?? null]]).flatMap(([experiment]) => experiment ?? []);
  return (isWhole ? crossed : tracked).map((experiment) => ({
    experiment,
    moved: bounds(tallies, (move) => crossing(move) === experiment),
  }));
}

/** The experiment of which a unit changes arms. Who enters one, or leaves it, changes no arm. */
function crossing({ before, after }: Move): string | undefined {
  const experiment = experimentOf(before);
  return experiment !== undefined && experiment === experimentOf(after) && before.variant !== after.variant
    ? experiment
    : undefined;
}

function experimentOf({ tracks }: Served): string | undefined {
  return tracks !== undefined && "experiment" in tracks ? tracks.experiment : undefined;
}

type Name = readonly (string | null)[];

/** The different names that moves have, in a stable order. */
function groups(tallies: Tallies, namesOf: (move: Move) => readonly Name[]): Name[] {
  const names = tallies.flatMap(({ cells }) => cells.flatMap(({ outcome }) => namesOf(outcome)));
  return [...new Set(names.map((name) => JSON.stringify(name)))].sort().map((text) => JSON.parse(text) as Name);
}
