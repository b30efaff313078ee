import { rate, type Share } from "./comparison.ts";
import type { Player } from "./players.ts";
import type { PulledExposure, PulledMetric } from "./pulled.ts";

/** One claim about what happened, whether it held, and the numbers it was judged by. */
export interface Proof {
  readonly claim: string;
  readonly holds: boolean;
  readonly found: string;
}

/** The variant an application decided for each player, by their id. */
export type Decisions = ReadonlyMap<string, string>;

/** A split misses by more than this many standard deviations once in 1.7 million runs. */
const TOLERATED_DEVIATIONS = 5;

/** Exactly one exposure for every player and none for anybody else. */
export function provesOneEach(players: readonly Player[], exposures: readonly PulledExposure[]): Proof {
  const seen = new Map<string, number>();
  for (const { unit } of exposures) seen.set(unit, (seen.get(unit) ?? 0) + 1);
  const missing = players.filter(({ id }) => !seen.has(id)).length;
  const repeated = [...seen.values()].filter((times) => times > 1).length;
  const strangers = seen.size + missing - players.length;
  return {
    claim: "exactly one exposure per player",
    holds: missing === 0 && repeated === 0 && strangers === 0 && exposures.length === players.length,
    found: `${exposures.length} exposures of ${players.length} players: ${missing} missing, ${repeated} repeated, ${strangers} of nobody`,
  };
}

/** What was exposed is what the application had decided. */
export function provesSameVariants(decisions: Decisions, exposures: readonly PulledExposure[]): Proof {
  const different = exposures.filter(({ unit, variant }) => decisions.get(unit) !== variant).length;
  return {
    claim: "exposed variant = decided variant",
    holds: different === 0 && exposures.length === decisions.size,
    found: `${decisions.size} decisions, ${different} exposed otherwise`,
  };
}

/** Both arms hold half of the players within binomial error. */
export function provesBalance(arms: readonly [string, string], exposures: readonly PulledExposure[]): Proof {
  const [first, second] = arms.map((arm) => exposures.filter(({ variant }) => variant === arm).length) as [number, number];
  const deviations = Math.abs(first - second) / Math.sqrt(first + second);
  return {
    claim: "arms within binomial error of 50/50",
    holds: first + second === exposures.length && deviations <= TOLERATED_DEVIATIONS,
    found: `${arms[0]} ${first}, ${arms[1]} ${second}: ${deviations.toFixed(2)} standard deviations apart`,
  };
}

/** Every metric event arrived, for the right player, with the right value. */
export function provesMetrics(players: readonly Player[], events: readonly PulledMetric[]): Proof {
  const expected = new Map(
    players.flatMap((player) => outcomesOf(player).map(({ name, value }) => [`${name} ${player.id}`, value])),
  );
  const wrong = events.filter(({ name, unit, value }) => expected.get(`${name} ${unit}`) !== value).length;
  const arrived = new Set(events.map(({ name, unit }) => `${name} ${unit}`)).size;
  return {
    claim: "every metric event, with its value, once",
    holds: wrong === 0 && arrived === expected.size && events.length === expected.size,
    found: `${events.length} of ${expected.size} metric events, ${expected.size - arrived} lost, ${wrong} with another value`,
  };
}

/** Nothing is stored twice although batches had to be sent again, and a batch replayed on purpose is refused whole. */
export function provesNoDuplicates(
  ids: readonly string[],
  retries: { readonly acknowledgementsLost: number; readonly replayed: number; readonly replayedAsDuplicates: number },
): Proof {
  const repeated = ids.length - new Set(ids).size;
  return {
    claim: "no duplicates after retries",
    holds:
      repeated === 0 &&
      retries.acknowledgementsLost > 0 &&
      retries.replayed > 0 &&
      retries.replayedAsDuplicates === retries.replayed,
    found:
      `${retries.acknowledgementsLost} acknowledgements lost, ${repeated} events stored twice; ` +
      `${retries.replayedAsDuplicates} of ${retries.replayed} events of a batch sent again counted as duplicates`,
  };
}

/** NDJSON, CSV and a pull in pieces hold the same exposures in the same order. */
export function provesSamePulls(
  whole: readonly PulledExposure[],
  others: Readonly<Record<string, readonly PulledExposure[]>>,
): Proof {
  const wanted = whole.map((row) => JSON.stringify(row));
  const differences = Object.entries(others).map(([name, rows]) => {
    const different = wanted.filter((row, index) => row !== JSON.stringify(rows[index])).length;
    return { name, count: Math.max(different, Math.abs(rows.length - wanted.length)) };
  });
  return {
    claim: "NDJSON, CSV and a pull in pieces say the same",
    holds: differences.every(({ count }) => count === 0),
    found: `${wanted.length} rows; ${differences.map(({ name, count }) => `${count} different in ${name}`).join(", ")}`,
  };
}

/** The recorded experiment's retention in percent, as published, by arm. */
const PUBLISHED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  retention_1: { gate_30: "44.82", gate_40: "44.23" },
  retention_7: { gate_30: "19.02", gate_40: "18.20" },
};

/** The events that were pulled give the figures that were published. */
export function provesPublishedFigures(shares: Readonly<Record<string, readonly Share[]>>): Proof {
  const given = Object.entries(PUBLISHED).flatMap(([metric, arms]) =>
    Object.entries(arms).map(([arm, published]) => {
      const share = shares[metric]?.find((one) => one.arm === arm);
      return { published, found: share === undefined ? "nothing" : (100 * rate(share)).toFixed(2) };
    }),
  );
  return {
    claim: "the pulled events give the published retention",
    holds: given.every(({ published, found }) => published === found),
    found: `${given.map(({ found }) => found).join(", ")} %, published ${given.map(({ published }) => published).join(", ")} %`,
  };
}

/** What became of a player, as metric events: the applications send these and the proofs expect them. */
export function outcomesOf(player: Player): readonly { readonly name: string; readonly value: number }[] {
  return [
    { name: "game_rounds", value: player.rounds },
    { name: "retention_1", value: player.retained1 ? 1 : 0 },
    { name: "retention_7", value: player.retained7 ? 1 : 0 },
  ];
}
