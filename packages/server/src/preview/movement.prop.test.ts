import type { Movement, ShareBounds, Snapshot } from "@belay/protocol";
import { seeded } from "@belay/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LiveSnapshot } from "../state/snapshots.ts";
import { type Deciding, type Flow, type Given, startDeciding } from "./deciding.fixture.ts";
import { definitionsOf, movementBetween } from "./movement.ts";
import { RandomEdits, SUBJECT } from "./random-edits.fixture.ts";
import { COUNTRIES } from "./random-targeting.fixture.ts";
import type { Definitions } from "./walk.ts";

const EDITS = 500;
/** Edits of one environment, each made on the one before: what a unit was given after one is what it had before the next. */
const CHAIN = 50;
const CHAINS = Array.from({ length: EDITS / CHAIN }, (_, chain) => chain);
const MILLION = 1_000_000;
/** Bounds are wide: fewer units show as well whether they hold. */
const BOUNDED = 50_000;
const SEED = 20261123;
/** Standard deviations: over all the counts of a run, one in a thousand runs would fail by chance. */
const Z = 6;

/** How far a count may be from a share, in percent. */
const error = (percent: number, ids: number): number => {
  const p = percent / 100;
  return 100 * (Z * Math.sqrt((p * (1 - p)) / ids) + 2 / ids);
};

const isWithin = (units: number, ids: number, { min, max }: ShareBounds): boolean => {
  const percent = (100 * units) / ids;
  return percent >= min - error(min, ids) && percent <= max + error(max, ids);
};

const HURRIED_QUESTIONS = 40;
const ARMS = "arms of ";

/** All that a preview says of an edit, and what was counted: each share under one name. */
type Named<T> = ReadonlyMap<string, T>;

const variantName = (from: string | undefined, to: string | undefined): string => `variant ${from ?? ""} > ${to ?? ""}`;
const ruleName = (what: string, place: string, rule: string | undefined): string => `${what} ${place} ${rule ?? ""}`;

function predictedShares({ changed, variants, rules, experiments }: Movement): Named<ShareBounds> {
  return new Map([
    ["changed", changed],
    ...variants.map(({ from, to, share }) => [variantName(from, to), share] as const),
    ...rules.flatMap(({ place, rule, before, after, changed }) => [
      [ruleName("before", place, rule), before] as const,
      [ruleName("after", place, rule), after] as const,
      [ruleName("changed", place, rule), changed] as const,
    ]),
    ...experiments.map(({ experiment, moved }) => [`${ARMS}${experiment}`, moved] as const),
  ]);
}

function countedUnits(flows: readonly Flow[]): Named<number> {
  const counted = new Map<string, number>();
  for (const { from, to, units } of flows) {
    const names = [variantName(from.variant, to.variant), placed("before", from), placed("after", to)];
    if (from.value !== to.value) names.push("changed", placed("changed", to));
    if (from.experiment !== undefined && from.experiment === to.experiment && from.variant !== to.variant)
      names.push(`${ARMS}${from.experiment}`);
    for (const name of names) counted.set(name, (counted.get(name) ?? 0) + units);
  }
  return counted;
}

/** No edit of these makes a flag that cannot be decided: a fault has a name of its own, which nothing predicted. */
function placed(what: string, { reason, rule, errorCode }: Given): string {
  if (errorCode !== undefined) return errorCode;
  return ruleName(what, rule !== undefined ? "rule" : reason === "DISABLED" ? "off" : "fallthrough", rule);
}

const definitions = ({ format: _, flags, ...head }: Snapshot): Definitions =>
  definitionsOf(new LiveSnapshot(head, new Map(Object.entries(flags))));

interface Step {
  readonly number: number;
  readonly name: string;
  readonly after: Snapshot;
  readonly predicted: Movement;
  /** By a measurement that may ask so little that it seldom comes to an end. */
  readonly hurried: Movement;
}

interface Chain {
  readonly first: Snapshot;
  readonly countries: readonly string[];
  readonly steps: readonly Step[];
}

function chainOf(chain: number, hasTests: boolean): Chain {
  const dice = seeded(SEED + chain + (hasTests ? CHAINS.length : 0));
  const edits = new RandomEdits(dice, { hasTests });
  const first = edits.environment();
  const steps: Step[] = [];
  for (let before = first; steps.length < CHAIN; ) {
    const { name, after } = edits.edited(before);
    const movement = (questionsMax?: number): Movement =>
      movementBetween(definitions(before), definitions(after), SUBJECT, questionsMax);
    const [predicted, hurried] = [movement(), movement(HURRIED_QUESTIONS)];
    steps.push({ number: chain * CHAIN + steps.length, name, after, predicted, hurried });
    before = after;
  }
  return { first, countries: Array.from({ length: 1 + dice.below(5) }, () => dice.pick(COUNTRIES)), steps };
}

function faultsOf({ number, name: edit, predicted, hurried }: Step, flows: readonly Flow[], ids: number): string[] {
  const [shares, hurriedShares, counts] = [predictedShares(predicted), predictedShares(hurried), countedUnits(flows)];
  const isWrong = (name: string, share: ShareBounds = { min: 0, max: 0 }): boolean =>
    !isWithin(counts.get(name) ?? 0, ids, share);
  const wrong = [...new Set([...shares.keys(), ...counts.keys()])].filter((name) => isWrong(name, shares.get(name)));
  // What it did not come to it need not name, but for experiments: none may be cleared that moves.
  const said = [...hurriedShares.keys(), ...[...counts.keys()].filter((name) => name.startsWith(ARMS))];
  wrong.push(...said.filter((name) => isWrong(name, hurriedShares.get(name))));
  return wrong.map(
    (name) =>
      `${number} (${edit}): ${name}: ${counts.get(name) ?? 0} units, ${JSON.stringify([shares.get(name), hurriedShares.get(name)])}`,
  );
}

/** Share of the units that the places of a flag serve before the edit: of everybody, where it is exact. */
const servedBefore = ({ rules }: Movement): number => rules.reduce((sum, { before }) => sum + before.min, 0);

describe(`${EDITS} random edits (seed ${SEED})`, () => {
  let deciding: Deciding;
  let exact: readonly Chain[];
  let bounded: readonly Chain[];
  beforeAll(() => {
    [exact, bounded] = [CHAINS.map((chain) => chainOf(chain, false)), CHAINS.map((chain) => chainOf(chain, true))];
    deciding = startDeciding(SUBJECT, MILLION);
  }, 600_000);
  afterAll(() => deciding.close());

  async function counted({ first, steps, countries }: Chain, units: number): Promise<string[]> {
    const faults: string[] = [];
    await deciding.next({ snapshot: first, units, countries });
    for (const step of steps) {
      const flows = await deciding.next({ snapshot: step.after, units, countries });
      expect(flows.reduce((sum, flow) => sum + flow.units, 0)).toBe(units);
      faults.push(...faultsOf(step, flows, units));
    }
    return faults;
  }

  const from = (chain: number): string => `edits ${chain * CHAIN} to ${chain * CHAIN + CHAIN - 1}`;

  it("are of every kind, and many of them move somebody", () => {
    const steps = exact.flatMap((chain) => chain.steps);
    const { names } = new RandomEdits(seeded(SEED), { hasTests: false });
    expect(names.filter((kind) => steps.filter(({ name }) => name === kind).length < 5)).toEqual([]);
    expect(names).toHaveLength(25);
    expect(steps.filter(({ predicted }) => predicted.changed.min > 0).length).toBeGreaterThan(200);
    expect(steps.filter(({ predicted }) => predicted.experiments.length > 0).length).toBeGreaterThan(50);
    expect(steps.filter(({ hurried }) => hurried.unexplored !== undefined).length).toBeGreaterThan(200);
    const withTests = bounded.flatMap((chain) => chain.steps);
    expect(withTests.filter(({ predicted }) => predicted.basis === "bounds").length).toBeGreaterThan(200);
  });

  it.each(CHAINS.map((chain) => [from(chain), chain] as const))(
    `%s without attributes move the share that was predicted, each counted on ${MILLION} ids, within binomial error`,
    async (_, at) => {
      const chain = exact[at] as Chain;
      expect(chain.steps.filter(({ predicted }) => predicted.basis !== "exact")).toEqual([]);
      for (const { predicted } of chain.steps) expect(servedBefore(predicted)).toBeCloseTo(100, 6);
      expect(await counted(chain, MILLION)).toEqual([]);
    },
    1_800_000,
  );

  it.each(CHAINS.map((chain) => [from(chain), chain] as const))(
    `%s with attribute rules move a share within the bounds, whoever the units are, each counted on ${BOUNDED} ids`,
    async (_, at) => expect(await counted(bounded[at] as Chain, BOUNDED)).toEqual([]),
    600_000,
  );
});
