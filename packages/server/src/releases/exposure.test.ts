import type { Targeting } from "@belay/protocol";
import { describe, expect, it } from "vitest";
import { admit, expose, exposedPpm, mayRaise, withdraw } from "./exposure.ts";
import { ARMS, EXPERIMENT, inside } from "./ramp.fixture.ts";

const before: Targeting = {
  enabled: true,
  off: "off",
  rules: [{ id: "staff", when: { segment: "staff" }, serve: { variant: "on" } }],
  fallthrough: { variant: "off" },
};
const at = (ppm: number, audience?: string): Targeting =>
  expose(before, { release: "r", variant: "on", control: "off", ppm, ...(audience === undefined ? {} : { audience }) });

describe("what a release does to a targeting", () => {
  it("grows treatment and tracked control from both ends, the audience before them", () => {
    expect(at(50_000, "internal").rules).toEqual([
      before.rules[0],
      { id: "release-audience", when: { segment: "internal" }, serve: { variant: "on" } },
      {
        id: "rollout",
        serve: {
          split: [
            { variant: "on", draws: [{ space: "share", in: [[0, 50_000]] }], tracks: { release: "r" } },
            { variant: "off", draws: [{ space: "share", in: [[950_000, 1_000_000]] }], tracks: { release: "r" } },
          ],
        },
      },
    ]);
  });

  it("leaves nothing of it behind", () => {
    expect(withdraw(at(50_000, "internal"))).toEqual(before);
    expect(expose(at(50_000, "internal"), { release: "r", variant: "on", control: "off", ppm: 100_000 })).toEqual(at(100_000));
  });

  it("tells the share that is in force", () => {
    const off = { ...at(50_000), enabled: false };
    expect([
      exposedPpm(at(50_000), { variant: "on" }),
      exposedPpm(at(50_000), { variant: "other" }),
      exposedPpm(off, { variant: "on" }),
      exposedPpm(before, { variant: "on" }),
    ]).toEqual([50_000, 0, 0, 0]);
  });
});

const lets = (ppm: number, audience?: string): Targeting =>
  admit(inside(0), { experiment: EXPERIMENT, arms: ARMS, ppm, ...(audience === undefined ? {} : { audience }) });

describe("what a release of an experiment does to a targeting", () => {
  it("moves the share of its split alone; the audience gets the arms they would have, unrecorded", () => {
    expect(lets(50_000)).toEqual(inside(50_000));
    expect(lets(0, "staff").rules).toEqual([
      { id: "release-audience", when: { segment: "staff" }, serve: { split: ARMS } },
      ...inside(0).rules,
    ]);
  });

  it("leaves the split at a share of nothing, and what is no longer its own alone", () => {
    const release = { experiment: EXPERIMENT };
    expect(withdraw(lets(50_000, "staff"), release)).toEqual(inside(0));
    expect(withdraw(at(50_000), release)).toEqual(at(50_000));
    expect(withdraw(before, release)).toEqual(before);
  });

  it("tells the share that is in force for all arms", () => {
    const ramped = { variant: "short", experiment: EXPERIMENT };
    expect([
      exposedPpm(lets(50_000), ramped),
      exposedPpm(lowerOne(lets(50_000)), ramped),
      exposedPpm({ ...lets(50_000), enabled: false }, ramped),
      exposedPpm(lets(50_000), { ...ramped, experiment: "another" }),
      exposedPpm(at(50_000), ramped),
    ]).toEqual([50_000, 20_000, 0, 0, 0]);
  });
});

/** With the first arm's share at 2 %. */
function lowerOne(targeting: Targeting): Targeting {
  const rules = targeting.rules.map((rule) => {
    if (!("split" in rule.serve)) return rule;
    const [first, ...rest] = rule.serve.split;
    if (first === undefined) return rule;
    const draws = first.draws.map((draw) => (draw.space === "share" ? { ...draw, in: [[0, 20_000]] as const } : draw));
    return { ...rule, serve: { split: [{ ...first, draws }, ...rest] } };
  });
  return { ...targeting, rules };
}

/** May going from one to the other show anybody something new? */
const EDITS: readonly (readonly [what: string, from: Targeting, to: Targeting, raises: boolean])[] = [
  ["nothing changed", at(50_000), at(50_000), false],
  ["a lower share", at(50_000), at(10_000), false],
  ["no share at all", at(50_000), at(0), false],
  ["no share at all, where no rollout was", before, at(0), false],
  ["a share, where no rollout was", before, at(1), true],
  ["a higher share", at(50_000), at(50_001), true],
  ["the release withdrawn", at(50_000, "internal"), before, false],
  ["the audience withdrawn", at(50_000, "internal"), at(50_000), false],
  ["an audience added", at(50_000), at(50_000, "internal"), true],
  ["another audience", at(50_000, "internal"), at(50_000, "all"), true],
  ["switched off", at(50_000), { ...at(50_000), enabled: false }, false],
  ["switched off with other rules", at(50_000), { ...before, enabled: false, fallthrough: { variant: "on" } }, false],
  ["switched on", { ...at(50_000), enabled: false }, at(50_000), true],
  [
    "a rule of people added",
    at(50_000),
    { ...at(50_000), rules: [{ id: "x", serve: { variant: "on" } }, ...at(50_000).rules] },
    true,
  ],
  ["a rule of people taken away", at(50_000), { ...at(50_000), rules: at(50_000).rules.slice(1) }, true],
  ["another fallthrough", at(50_000), { ...at(50_000), fallthrough: { variant: "on" } }, true],
  [
    "another variant at a lower share",
    at(50_000),
    expose(before, { release: "r", variant: "new", control: "off", ppm: 1 }),
    true,
  ],
  ["an experiment's share lowered", lets(50_000), lets(49_999), false],
  ["an experiment's share raised", lets(50_000), lets(50_001), true],
  ["one arm of it lowered", lets(50_000), lowerOne(lets(50_000)), false],
  ["one arm of it lowered, and the others raised", lets(50_000), lowerOne(lets(60_000)), true],
  ["an arm of it raised, to what the others have", lowerOne(lets(50_000)), lets(50_000), true],
  ["an experiment's share taken back", lets(50_000, "staff"), lets(0), false],
];

describe("lowering, and everything else", () => {
  it.each(EDITS)("%s", (_, from, to, raises) => {
    expect(mayRaise(from, to)).toBe(raises);
  });

  it("takes a targeting that was not there for a raise, unless it is off", () => {
    expect([mayRaise(undefined, at(0)), mayRaise(undefined, { ...at(0), enabled: false })]).toEqual([true, false]);
  });
});
