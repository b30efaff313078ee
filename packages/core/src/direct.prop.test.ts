import fc from "fast-check";
import { expect, it } from "vitest";
import { contexts, KEYS, snapshots } from "./random-snapshot.fixture.ts";
import { compile } from "./ruleset.ts";

it("decides without a scope what it decides with one", () => {
  let direct = 0;
  fc.assert(
    fc.property(snapshots, fc.array(contexts, { minLength: 1, maxLength: 4 }), (snapshot, asked) => {
      const ruleset = compile(snapshot);
      for (const context of asked) {
        // The same own properties on an object that is not plain, and is therefore decided with a scope.
        const instance = Object.create({}, Object.getOwnPropertyDescriptors(context)) as typeof context;
        for (const key of KEYS) {
          expect(ruleset.decide(key, context)).toEqual(ruleset.decide(key, instance));
          if (ruleset.find(key)?.program.steps !== undefined) direct++;
        }
      }
    }),
    { numRuns: 1_000 },
  );
  expect(direct).toBeGreaterThan(50);
});

it("decides directly a flag of tests and one space, and no other", () => {
  const draw = (space: string) => ({ variant: "on", draws: [{ space, in: [[0, 500_000]] }] });
  const inside = { attribute: "country", op: "in", value: ["DE"] };
  const rules = (...all: readonly object[]): never =>
    ({
      type: "boolean",
      variants: { on: true, off: false },
      spaces: { share: { salt: "a" }, split: { salt: "b" }, seat: { salt: "c", by: "seat" } },
      enabled: true,
      rules: all.map((rule, i) => ({ id: `r${i}`, ...rule })),
      fallthrough: { variant: "off" },
    }) as never;
  const first = { when: inside, serve: { split: [draw("share")] } };
  const flags = {
    one: rules(first),
    all: rules({ ...first, when: { all: [inside, inside] } }, first),
    plain: rules({ when: inside, serve: { variant: "on" } }),
    any: rules({ ...first, when: { any: [inside] } }),
    second: rules({ when: inside, serve: { split: [draw("split")] } }),
    seat: rules({ when: inside, serve: { split: [draw("seat")] } }),
    both: rules({ when: inside, serve: { split: [{ variant: "on", draws: [...draw("share").draws, ...draw("share").draws] }] } }),
  };
  const ruleset = compile({ format: 1, project: "p", environment: "e", revision: 1, spaces: {}, segments: {}, flags });
  expect(Object.keys(flags).filter((key) => ruleset.find(key)?.program.steps)).toEqual(["one", "all", "plain"]);
});
