import type { Part, Snapshot } from "@belay/protocol";
import fc from "fast-check";
import { expect, it } from "vitest";
import { Seen } from "./client/seen.ts";
import type { Outcome } from "./program.ts";
import { compile } from "./ruleset.ts";
import type { Tracked } from "./tracked.ts";

const units = fc.oneof(
  fc.string({ unit: "binary", minLength: 1, maxLength: 20 }),
  fc.string({ unit: "binary-ascii", minLength: 1, maxLength: 20 }),
  fc.stringMatching(/^user-[0-9]{1,7}$/),
);
/** Of eight ASCII characters, of a length that leaves a tail, and of none that are ASCII. */
const salts = fc.constantFrom("k3v9x2qa", "k3v9x2q", "žluťoučký");

const part = (variant: string, [from, to]: readonly [number, number], experiment?: string): Part => ({
  variant,
  draws: [{ space: "split", in: [[from, to]] }],
  ...(experiment === undefined ? {} : { tracks: { experiment, epoch: 1 } }),
});

function snapshotOf(salt: string, experiments: readonly [string, string]): Snapshot {
  const split = [part("a", [0, 400_000], experiments[0]), part("b", [400_000, 800_000], experiments[1])];
  const flag = {
    type: "string",
    variants: { a: "a", b: "b", rest: "rest" },
    spaces: { split: { salt } },
    enabled: true,
    rules: [{ id: "r", serve: { split: [...split, part("rest", [800_000, 1_000_000])] } }],
  } as const;
  return { format: 1, project: "p", environment: "e", revision: 1, spaces: {}, segments: {}, flags: { flag } };
}

const ask = (salt: string, experiments: readonly [string, string], unit: string, met?: Seen): Outcome =>
  compile(snapshotOf(salt, experiments)).decide("flag", { targetingKey: unit }, met);

it("answers the outcome itself until its unit has been met under its arm, then the untracked twin, for any unit and salt", () => {
  let tracked = 0;
  fc.assert(
    fc.property(salts, units, units, (salt, unit, other) => {
      const met = new Seen(1_024);
      const arms = ["one", "one"] as const;
      const outcome = ask(salt, arms, unit);
      expect(ask(salt, arms, unit, met)).toEqual(outcome);
      if (outcome.tracks === undefined) return;
      tracked++;
      met.add(unit, outcome.tracks);
      expect(ask(salt, arms, unit, met)).toEqual(outcome.untracked);
      if (other !== unit) expect(ask(salt, arms, other, met)).toEqual(ask(salt, arms, other));
    }),
    { numRuns: 2_000 },
  );
  expect(tracked).toBeGreaterThan(1_000);
});

it("knows who has been met beside others whose slots are next to theirs, and in the generation before", () => {
  const ruleset = compile(snapshotOf("k3v9x2qa", ["one", "one"]));
  const met = new Seen(2_048);
  const of = (n: number) => ({ targetingKey: `user-${n}` });
  for (let n = 0; n < 1_100; n++) met.add(`user-${n}`, armOf(ruleset.decide("flag", of(n))) ?? { subjectSeed: 0, armSeed: 0 });
  let known = 0;
  let exposed = 0;
  // The first 1,024 are of the generation before; whoever is met again there moves.
  for (let n = 0; n < 300; n++) {
    if (armOf(ruleset.decide("flag", of(n))) === undefined) continue;
    exposed++;
    if (ruleset.decide("flag", of(n), met).tracks === undefined) known++;
  }
  expect([known, exposed]).toEqual([exposed, 237]);
});

it("asks nobody where the parts of one line are exposed for two experiments: the ledger is asked by arm then", () => {
  const met = new Seen(1_024);
  const arms = ["one", "two"] as const;
  const exposed = Array.from({ length: 20 }, (_, n) => `user-${n}`).filter((unit) => ask(salt, arms, unit).tracks !== undefined);
  for (const unit of exposed) met.add(unit, armOf(ask(salt, arms, unit)) as Tracked);
  expect(exposed.map((unit) => ask(salt, arms, unit, met).tracks?.variant)).toEqual(
    exposed.map((unit) => ask(salt, arms, unit).variant),
  );
});

const salt = "k3v9x2qa";

function armOf({ tracks }: Outcome): Tracked | undefined {
  return tracks;
}
