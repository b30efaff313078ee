import type { SnapshotFlag } from "@belay/protocol";
import { describe, expect, it } from "vitest";
import { BY_STEPS, LONG_WAY, ON_ABOVE, ON_BELOW, UNKNOWN_KEY } from "./program.ts";
import { compile } from "./ruleset.ts";
import { snapshotOf } from "./vectors.fixture.ts";
import { isOn } from "./way.ts";

type Serve = SnapshotFlag["rules"][number]["serve"];

const inside = { attribute: "country", op: "in", value: ["DE"] } as const;
const tracks = { experiment: "exp", epoch: 1 };

function half(variant: string, more: object = {}, space = "share"): Serve {
  return { split: [{ variant, draws: [{ space, in: [[0, 500_000]] }], ...more }] };
}

function flag(rules: readonly Omit<SnapshotFlag["rules"][number], "id">[], more: Partial<SnapshotFlag> = {}): SnapshotFlag {
  return {
    type: "boolean",
    variants: { on: true, off: false, alsoOn: true },
    spaces: { share: { salt: "k7d2m4qa" }, split: { salt: "b" } },
    enabled: true,
    off: "off",
    rules: rules.map((rule, i) => ({ id: `r${i}`, ...rule })),
    fallthrough: { variant: "off" },
    ...more,
  };
}

const FLAGS: { readonly [key: string]: readonly [way: number, flag: SnapshotFlag] } = {
  rollout: [ON_BELOW, flag([{ serve: half("on") }])],
  "rollout of off": [ON_ABOVE, flag([{ serve: half("off") }], { fallthrough: { variant: "on" } })],
  "two times on": [LONG_WAY, flag([{ serve: half("on") }], { fallthrough: { variant: "alsoOn" } })],
  "the default above": [LONG_WAY, flag([{ serve: half("on") }], { fallthrough: undefined as never })],
  "of texts": [LONG_WAY, flag([{ serve: half("on") }], { type: "string", variants: { on: "1", off: "0" } })],
  tracked: [LONG_WAY, flag([{ serve: half("on", { tracks }) }])],
  disabled: [LONG_WAY, flag([{ serve: half("on") }], { enabled: false })],
  constant: [LONG_WAY, flag([])],
  "its second space": [LONG_WAY, flag([{ serve: half("on", {}, "split") }])],
  targeted: [BY_STEPS, flag([{ when: inside, serve: half("on") }])],
  "targeted, with a default": [BY_STEPS, flag([{ when: inside, serve: half("on") }], { fallthrough: undefined as never })],
  "targeted and tracked": [LONG_WAY, flag([{ when: inside, serve: half("on", { tracks }) }])],
  "targeted, of texts": [
    LONG_WAY,
    flag([{ when: inside, serve: half("on") }], { type: "string", variants: { on: "1", off: "0" } }),
  ],
  // The second rule is never reached, but it names a space that is not there: the flag is malformed.
  "faulty where nobody looks": [LONG_WAY, flag([{ serve: half("on") }, { serve: half("on", {}, "layer/none") }])],
};

describe("the way of", () => {
  const ruleset = compile(snapshotOf({ flags: Object.fromEntries(Object.entries(FLAGS).map(([key, [, each]]) => [key, each])) }));

  it.each(Object.entries(FLAGS))("%s", (key, [way]) => {
    expect(ruleset.find(key)?.way).toBe(way);
  });

  it("an unknown key that is remembered", () => {
    ruleset.decide("nothing", {});
    expect(ruleset.flags.get("nothing")?.way).toBe(UNKNOWN_KEY);
  });
});

it("isOn answers and counts what decide does, for salts and units of every kind", () => {
  const salts = ["k7d2m4qa", "a", "", "sälz", "fünf"];
  const flags = Object.fromEntries(
    salts.flatMap((salt) =>
      (["rollout", "rollout of off"] as const).map((kind) => [
        `${kind} ${salt}`,
        { ...FLAGS[kind]?.[1], spaces: { share: { salt } } },
      ]),
    ),
  ) as { [key: string]: SnapshotFlag };
  const [asked, decided] = [compile(snapshotOf({ flags })), compile(snapshotOf({ flags }))];
  const units = Array.from({ length: 300 }, (_, n) => [`user-${n}`, `ä${n}`, `${n}😀`, `\ud800${n}`][n % 4] as string);
  let on = 0;
  for (const [key, compiled] of [...asked.flags]) {
    for (const unit of units) {
      const answer = isOn(compiled, unit);
      expect(answer).toBe(decided.decide(key, { targetingKey: unit }).value);
      if (answer) on++;
    }
  }
  const counts = decided.takeCounts();
  expect(asked.takeCounts()).toEqual(counts);
  expect(counts.reduce((sum, { count }) => sum + count, 0)).toBe(salts.length * 2 * units.length);
  expect(counts.filter(({ variant }) => variant === "on").reduce((sum, { count }) => sum + count, 0)).toBe(on);
  expect(asked.takeCounts()).toEqual([]);
});

it("counts on past 31 bits, on either side of the boundary", () => {
  const ruleset = compile(snapshotOf({ flags: { rollout: FLAGS["rollout"]?.[1] as SnapshotFlag } }));
  const compiled = ruleset.find("rollout");
  if (compiled === undefined) throw new Error("no flag");
  const units = Array.from({ length: 100 }, (_, n) => `user-${n}`);
  const on = units.filter((unit) => ruleset.peek("rollout", { targetingKey: unit }).value === true).length;
  expect([on > 20, on < 80]).toEqual([true, true]);
  for (const [asked, above] of [
    [2 ** 31 - 10, 0],
    [2 ** 31 - 10, 2 ** 31 - 10],
  ] as const) {
    compiled.asked = asked;
    compiled.above = above;
    for (const unit of units) isOn(compiled, unit);
    const told = new Map(ruleset.takeCounts().map(({ variant, count }) => [variant, count]));
    expect([told.get("on"), told.get("off")]).toEqual([asked - above + on, above + units.length - on]);
  }
});
