import { compile, type Ruleset } from "@belay/core";
import type { Condition, Draw, Part, Rule, Serve, Snapshot, SnapshotFlag, Space } from "@belay/protocol";
import { type Dice, seeded } from "@belay/testkit";
import { describe, expect, it } from "vitest";
import { LiveSnapshot } from "../state/snapshots.ts";
import { definitionsOf, movementBetween } from "./movement.ts";

const EDITS = 500;
/** Ids that a prediction is counted on. All of them on 1,000,000 take some minutes: BELAY_PREVIEW_IDS=1000000. */
const IDS = Number(process.env["BELAY_PREVIEW_IDS"] ?? 4_000);
const MANY_IDS = 1_000_000;
/** One in so many edits without attributes is counted on a million. */
const MANY_EVERY = 25;
const SEED = 20261123;
/** Standard deviations: over all the counts of a run, one in a thousand runs would fail by chance. */
const Z = 6;

const FLAG = "subject";
const VARIANTS = { a: 1, b: 2, c: 3, alsoA: 1 };
const SPACES = ["share", "split", "layer/one", "layer/two"] as const;
const COUNTRIES = ["DE", "AT", "CH"] as const;

function ranges(dice: Dice): Draw["in"] {
  const edges = [...new Set(Array.from({ length: 2 + 2 * dice.below(2) }, () => dice.below(1_000_001)))].sort((a, b) => a - b);
  return Array.from({ length: Math.floor(edges.length / 2) }, (_, i) => [edges[2 * i] as number, edges[2 * i + 1] as number]);
}

const drawOf = (dice: Dice): Draw => ({ space: dice.pick(SPACES), in: ranges(dice) });

function serveOf(dice: Dice): Serve {
  if (dice.fraction() < 0.2) return { variant: dice.pick(Object.keys(VARIANTS)) };
  const parts = Array.from({ length: 1 + dice.below(3) }, (): Part => {
    const draws = Array.from({ length: dice.below(3) }, () => drawOf(dice));
    return { variant: dice.pick(Object.keys(VARIANTS)), draws, tracks: { experiment: dice.pick(["x", "y"]) } };
  });
  return { split: parts };
}

function conditionOf(dice: Dice, hasTests: boolean): Condition {
  const kind = dice.below(hasTests ? 7 : 5);
  if (kind === 0) return { draw: drawOf(dice) };
  if (kind === 1) return { segment: "lucky" };
  if (kind === 2) return { flag: "other", variants: ["a"] };
  if (kind === 3) return { not: conditionOf(dice, hasTests) };
  const both: Condition[] = kind === 4 ? [conditionOf(dice, hasTests), { draw: drawOf(dice) }] : [];
  if (kind === 4) return dice.fraction() < 0.5 ? { all: both } : { any: both };
  return { attribute: "country", op: "in", value: dice.pick(COUNTRIES) };
}

function rulesOf(dice: Dice, hasTests: boolean): Rule[] {
  return Array.from({ length: dice.below(4) }, (_, i) => ({
    id: `r${i}`,
    ...(dice.fraction() < 0.5 ? { when: conditionOf(dice, hasTests) } : {}),
    serve: serveOf(dice),
  }));
}

function flagOf(dice: Dice, hasTests: boolean): SnapshotFlag {
  return {
    type: "number",
    variants: VARIANTS,
    spaces: { share: { salt: saltOf(dice) }, split: { salt: saltOf(dice) } },
    enabled: dice.fraction() < 0.95,
    ...(dice.fraction() < 0.8 ? { off: "c" } : {}),
    ...(dice.fraction() < 0.2 ? { prerequisites: [{ flag: "other", variants: ["a", "c"] }] } : {}),
    rules: rulesOf(dice, hasTests),
    ...(dice.fraction() < 0.8 ? { fallthrough: serveOf(dice) } : {}),
  };
}

const saltOf = (dice: Dice): string => Array.from({ length: 8 }, () => dice.pick([..."abcdefgh234567"])).join("");

/** An edit of one of the things an edit can change: everything, rules, ranges, a variant's value, a salt, the switch. */
function edited(dice: Dice, flag: SnapshotFlag, hasTests: boolean): SnapshotFlag {
  switch (dice.below(6)) {
    case 0:
      return { ...flag, rules: rulesOf(dice, hasTests) };
    case 1:
      return { ...flag, fallthrough: serveOf(dice) };
    case 2:
      return { ...flag, variants: { ...VARIANTS, b: dice.pick([1, 2, 9]) } };
    case 3:
      return { ...flag, spaces: { ...flag.spaces, split: { salt: saltOf(dice) } } };
    case 4:
      return { ...flag, enabled: !flag.enabled };
    default:
      return { ...flag, rules: dice.shuffled(flag.rules) };
  }
}

interface Case {
  readonly before: Snapshot;
  readonly after: Snapshot;
}

function caseOf(dice: Dice, hasTests: boolean): Case {
  const shared: { readonly [id: string]: Space } = { "layer/one": { salt: saltOf(dice) }, "layer/two": { salt: saltOf(dice) } };
  const other: SnapshotFlag = { ...flagOf(dice, hasTests), enabled: true, rules: [], fallthrough: serveOf(dice) };
  const { prerequisites: _, ...otherFlag } = other;
  const segments = { lucky: { draw: { space: "layer/one", in: ranges(dice) } } };
  const head = { project: "p", environment: "e", spaces: shared, segments };
  const flag = flagOf(dice, hasTests);
  return {
    before: { format: 1, ...head, revision: 1, flags: { [FLAG]: flag, other: otherFlag } },
    after: { format: 1, ...head, revision: 2, flags: { [FLAG]: edited(dice, flag, hasTests), other: otherFlag } },
  };
}

const live = ({ format: _, flags, ...head }: Snapshot): LiveSnapshot => new LiveSnapshot(head, new Map(Object.entries(flags)));

interface Count {
  readonly changed: number;
  readonly flows: ReadonlyMap<string, number>;
  readonly arms: ReadonlyMap<string, number>;
}

/** What a unit can get; nothing first. */
const OUTCOMES: readonly string[] = ["", ...Object.keys(VARIANTS)];

/** The same question answered by deciding for every id twice. */
function count(
  { before, after }: Case,
  ids: number,
  { salt, country }: { salt: number; country: (id: number) => string },
): Count {
  const [was, is]: readonly [Ruleset, Ruleset] = [compile(before), compile(after)];
  const flows = OUTCOMES.map(() => OUTCOMES.map(() => 0));
  const arms = new Map<string, number>();
  let changed = 0;
  for (let id = 0; id < ids; id += 1) {
    const context = { targetingKey: `user-${salt}-${id}`, country: country(id) };
    const [from, to] = [was.decide(FLAG, context), is.decide(FLAG, context)];
    if (from.value !== to.value) changed += 1;
    const row = flows[OUTCOMES.indexOf(from.variant ?? "")] as number[];
    const column = OUTCOMES.indexOf(to.variant ?? "");
    row[column] = (row[column] ?? 0) + 1;
    const experiment = from.tracks?.experiment;
    if (experiment !== undefined && experiment === to.tracks?.experiment && from.variant !== to.variant)
      arms.set(experiment, (arms.get(experiment) ?? 0) + 1);
  }
  const named = flows.flatMap((row, from) => row.map((units, to) => [`${OUTCOMES[from]}>${OUTCOMES[to]}`, units] as const));
  return { changed, flows: new Map(named.filter(([, units]) => units > 0)), arms };
}

/** How far a count may be from a share, in percent. */
const error = (percent: number, ids: number): number => {
  const p = percent / 100;
  return 100 * (Z * Math.sqrt((p * (1 - p)) / ids) + 2 / ids);
};

const isWithin = (units: number, ids: number, { min, max }: { readonly min: number; readonly max: number }): boolean => {
  const percent = (100 * units) / ids;
  return percent >= min - error(min, ids) && percent <= max + error(max, ids);
};

function faultsOf(dice: Dice, index: number, { hasTests, ids }: { hasTests: boolean; ids: number }): string[] {
  const both = caseOf(dice, hasTests);
  const predicted = movementBetween(definitionsOf(live(both.before)), definitionsOf(live(both.after)), FLAG);
  const favoured = dice.pick(COUNTRIES);
  const country = (id: number): string => (id % 3 === 0 ? favoured : (COUNTRIES[id % COUNTRIES.length] as string));
  const counted = count(both, ids, { salt: index, country });
  const within = (units: number, share: { readonly min: number; readonly max: number }): boolean => isWithin(units, ids, share);
  const faults: string[] = [];
  if (!hasTests && predicted.basis !== "exact") faults.push(`${index}: ${predicted.basis}`);
  if (!within(counted.changed, predicted.changed)) faults.push(`${index}: changed ${counted.changed}`);
  const flows = new Map(predicted.variants.map(({ from = "", to = "", share }) => [`${from}>${to}`, share]));
  for (const name of new Set([...flows.keys(), ...counted.flows.keys()])) {
    if (!within(counted.flows.get(name) ?? 0, flows.get(name) ?? { min: 0, max: 0 })) faults.push(`${index}: ${name}`);
  }
  const arms = new Map(predicted.experiments.map(({ experiment, moved }) => [experiment, moved]));
  for (const name of new Set([...arms.keys(), ...counted.arms.keys()])) {
    if (!within(counted.arms.get(name) ?? 0, arms.get(name) ?? { min: 0, max: 0 })) faults.push(`${index}: arm ${name}`);
  }
  const before = predicted.rules.reduce((sum, rule) => sum + rule.before.min, 0);
  if (!hasTests && Math.abs(before - 100) > 1e-6) faults.push(`${index}: rules add up to ${before}`);
  return faults;
}

describe(`${EDITS} random edits, each counted on ${IDS} ids (seed ${SEED})`, () => {
  it(`without attributes move exactly the share that was predicted, one in ${MANY_EVERY} of them counted on ${MANY_IDS}, within binomial error`, () => {
    const dice = seeded(SEED);
    const idsOf = (index: number): number => (index % MANY_EVERY === 0 ? MANY_IDS : IDS);
    const faults = Array.from({ length: EDITS }, (_, at) => faultsOf(dice, at, { hasTests: false, ids: idsOf(at) })).flat();
    expect(faults).toEqual([]);
  }, 1_800_000);

  it("with attribute rules move a share within the bounds, whoever the units are", () => {
    const dice = seeded(SEED + 1);
    const faults = Array.from({ length: EDITS }, (_, at) => faultsOf(dice, at, { hasTests: true, ids: IDS })).flat();
    expect(faults).toEqual([]);
  }, 1_800_000);
});
