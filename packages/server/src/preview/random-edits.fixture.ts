import type { Part, Rule, Serve, Snapshot, SnapshotFlag } from "@belay/protocol";
import type { Dice } from "@belay/testkit";
import { HOLDOUT, LAYERS, OWN_SPACES, RandomTargeting, type Reach, VARIANTS } from "./random-targeting.fixture.ts";

/** The flag that is looked at. */
export const SUBJECT = "subject";

/*
 * Who may name whom, so that nobody stands in a circle:
 *
 *     subject, middle ──> luckier ──> lucky          layers and a holdout divide the units of all of them
 *        └──> middle ──> root ──> lucky
 */
const LUCKY: Reach = { spaces: LAYERS, segments: [], flags: [], rules: 0 };
const ROOT: Reach = { spaces: [...OWN_SPACES, ...LAYERS], segments: ["lucky"], flags: [], rules: 1 };
const LUCKIER: Reach = { ...LUCKY, segments: ["lucky"], flags: ["root"] };
const MIDDLE: Reach = { ...ROOT, segments: ["lucky", "luckier"], flags: ["root"] };
const REACH: Reach = { ...MIDDLE, flags: ["root", "middle"], rules: 3 };

/** An edit by its name, and the environment after it. */
export interface Edited {
  readonly name: string;
  readonly after: Snapshot;
}

type Edit<T> = (before: T) => T;

/** Random environments around the subject, and random edits of them: all that can move its units. */
export class RandomEdits {
  readonly #random: RandomTargeting;
  readonly #edits: ReadonlyMap<string, Edit<Snapshot>>;

  constructor(dice: Dice, options: { readonly hasTests: boolean }) {
    const random = new RandomTargeting(dice, options);
    const own = Object.entries({ ...ruleEdits(random), ...splitEdits(random), ...flagEdits(random) });
    this.#random = random;
    this.#edits = new Map([
      ...own.map(([name, edit]) => [name, (before: Snapshot) => withFlag(before, SUBJECT, edit)] as const),
      ...Object.entries(editsAround(random)),
    ]);
  }

  get names(): readonly string[] {
    return [...this.#edits.keys()];
  }

  environment(): Snapshot {
    const random = this.#random;
    return {
      format: 1,
      project: "p",
      environment: "e",
      revision: 1,
      spaces: Object.fromEntries([...LAYERS, HOLDOUT].map((id) => [id, random.space()])),
      segments: { lucky: random.condition(LUCKY), luckier: random.condition(LUCKIER) },
      flags: { root: random.flag(ROOT), middle: random.flag(MIDDLE), [SUBJECT]: random.flag(REACH) },
    };
  }

  /**
   * Weights are what is edited most, and what moves units between arms. A flag that is off says nothing of the edits to come:
   * it is mostly on again after the next one.
   */
  edited(before: Snapshot): Edited {
    const name = this.#random.chance(0.2) ? "weights" : this.#random.dice.pick(this.names);
    const edit = this.#edits.get(name) ?? ((same: Snapshot) => same);
    const after = edit(before);
    const isWoken = name !== "switch" && this.#random.chance(0.8);
    const awake = isWoken ? withFlag(after, SUBJECT, (flag) => ({ ...flag, enabled: true })) : after;
    return { name, after: { ...awake, revision: before.revision + 1 } };
  }
}

type FlagEdits = Readonly<Record<string, Edit<SnapshotFlag>>>;

function ruleEdits(random: RandomTargeting): FlagEdits {
  const add = ({ rules, ...flag }: SnapshotFlag): SnapshotFlag => {
    const id = `r${4 + rules.length}`;
    return { ...flag, rules: [random.rule(REACH, id), ...rules.filter((rule) => rule.id !== id)].slice(0, 5) };
  };
  return {
    rules: (flag) => whole({ ...flag, rules: random.rules(REACH) }),
    "a rule more": (flag) => whole(add(flag)),
    "a rule less": (flag) => ({ ...flag, rules: flag.rules.slice(1) }),
    "rules in another order": (flag) => ({ ...flag, rules: random.dice.shuffled(flag.rules) }),
    condition: (flag) => {
      const at = random.dice.below(Math.max(1, flag.rules.length));
      const when = random.condition(REACH);
      return { ...flag, rules: flag.rules.map((rule, i) => (i === at ? { ...rule, when } : rule)) };
    },
    fallthrough: (flag) => whole({ ...flag, fallthrough: random.serve(REACH) }),
    "no fallthrough": ({ fallthrough: _, ...flag }) => flag,
  };
}

/** Edits of the parts that are there already. */
function splitEdits(random: RandomTargeting): FlagEdits {
  const parts = (flag: SnapshotFlag, edit: Edit<readonly Part[]>): SnapshotFlag =>
    withServes(flag, (serve) => ("split" in serve ? { split: edit(serve.split) } : serve));
  const withRanges = (part: Part, at: number, ranges = random.ranges()): Part => ({
    ...part,
    draws: part.draws.map((draw, i) => (i === at ? { ...draw, in: ranges } : draw)),
  });
  return {
    weights: (flag) =>
      parts(whole(flag), (split) => {
        const [{ draws = [], tracks } = {}] = split;
        return random.weighted({ draws: draws.slice(0, -1), ...(tracks === undefined ? {} : { tracks }) });
      }),
    share: (flag) => {
      const ranges = random.ranges();
      return parts(flag, (split) => split.map((part) => withRanges(part, 0, ranges)));
    },
    "a part's ranges": (flag) =>
      parts(flag, ([first, ...split]) => (first === undefined ? [] : [withRanges(first, 1), ...split])),
    "parts in another order": (flag) => parts(flag, (split) => random.dice.shuffled(split)),
  };
}

function flagEdits(random: RandomTargeting): FlagEdits {
  const anew = (flag: SnapshotFlag): SnapshotFlag => ({ ...flag, spaces: { ...flag.spaces, split: random.space() } });
  return {
    flag: () => random.flag(REACH),
    switch: (flag) => ({ ...flag, enabled: !flag.enabled }),
    off: (flag) => ({ ...whole(flag), off: random.variant() }),
    prerequisites: (flag) => ({ ...flag, prerequisites: [random.flagTest(REACH)] }),
    "no prerequisites": ({ prerequisites: _, ...flag }) => flag,
    value: (flag) => ({ ...flag, variants: { ...VARIANTS, b: random.dice.pick([1, 2, 9]) } }),
    "a variant less": (flag) => without(flag, random.dice.pick(Object.keys(flag.variants).slice(1))),
    "salt and unit": anew,
    unit: ({ spaces, ...flag }) => {
      const by = random.dice.pick(["account", "targetingKey"]);
      return { ...flag, spaces: { ...spaces, share: { salt: spaces?.["share"]?.salt ?? "", by } } };
    },
  };
}

/** Edits of what the subject names. */
function editsAround(random: RandomTargeting): Readonly<Record<string, Edit<Snapshot>>> {
  return {
    root: (before) => withFlag(before, "root", () => random.flag(ROOT)),
    middle: (before) => withFlag(before, "middle", () => random.flag(MIDDLE)),
    segment: (before) => ({ ...before, segments: { ...before.segments, lucky: random.condition(LUCKY) } }),
    "segment of segments": (before) => ({ ...before, segments: { ...before.segments, luckier: random.condition(LUCKIER) } }),
    layer: (before) => ({ ...before, spaces: { ...before.spaces, [random.dice.pick(LAYERS)]: random.space() } }),
  };
}

function withFlag(snapshot: Snapshot, key: string, edit: Edit<SnapshotFlag>): Snapshot {
  const flag = snapshot.flags[key];
  return flag === undefined ? snapshot : { ...snapshot, flags: { ...snapshot.flags, [key]: edit(flag) } };
}

function withServes(flag: SnapshotFlag, edit: Edit<Serve>): SnapshotFlag {
  const rules = flag.rules.map((rule): Rule => ({ ...rule, serve: edit(rule.serve) }));
  return { ...flag, rules, ...(flag.fallthrough === undefined ? {} : { fallthrough: edit(flag.fallthrough) }) };
}

/** With every variant again, for what may serve any of them. */
function whole(flag: SnapshotFlag): SnapshotFlag {
  return { ...flag, variants: { ...VARIANTS, ...flag.variants } };
}

/** Without a variant: the first one stands in for it wherever it was served. */
function without(flag: SnapshotFlag, removed: string): SnapshotFlag {
  const instead = <T extends { readonly variant: string }>(it: T): T => (it.variant === removed ? { ...it, variant: "a" } : it);
  const served = withServes(flag, (serve) => ("variant" in serve ? instead(serve) : { split: serve.split.map(instead) }));
  const variants = Object.fromEntries(Object.entries(flag.variants).filter(([name]) => name !== removed));
  return { ...served, variants, ...(flag.off === removed ? { off: "a" } : {}) };
}
