import type { EvaluationContext, Snapshot } from "@belay/protocol";
import fc from "fast-check";
import { expect, it } from "vitest";
import { BY_STEPS, ON_BELOW } from "../program.ts";
import { contexts, KEYS, snapshots } from "../random-snapshot.fixture.ts";
import { compile } from "../ruleset.ts";
import { fakeClient } from "./fake-client.fixture.ts";
import { FakeServer, FakeTime, snapshotOf } from "./fake-world.fixture.ts";

const rollout = {
  type: "boolean",
  variants: { on: true, off: false },
  spaces: { share: { salt: "k7d2m4qa" } },
  enabled: true,
  rules: [
    { id: "half", serve: { split: [{ variant: "on", draws: [{ space: "share", in: [[0, 500_000]] as [number, number][] }] }] } },
  ],
  fallthrough: { variant: "off" },
} as const;
const targeted = {
  ...rollout,
  rules: [{ ...rollout.rules[0], when: { attribute: "country", op: "in", value: ["DE"] } }],
} as const;

const FLAGS = { rollout, targeted } as unknown as Snapshot["flags"];

it("isEnabled answers on every way what the rules decide, the first time and later", () => {
  fc.assert(
    fc.property(snapshots, fc.array(contexts, { minLength: 1, maxLength: 4 }), fc.boolean(), (random, asked, fallback) => {
      const snapshot = { ...random, flags: { ...random.flags, ...FLAGS } };
      const rules = compile(snapshot);
      const server = new FakeServer(new FakeTime(), snapshotOf(1));
      const { client } = fakeClient(server, { isOffline: true, held: { snapshot, from: "application" } });
      for (const context of [...asked, ...asked]) {
        for (const key of [...KEYS, ...Object.keys(FLAGS)]) {
          const { value } = rules.decide(key, context);
          expect(client.isEnabled(key, context, fallback)).toBe(typeof value === "boolean" ? value : fallback);
        }
      }
      expect([rules.find("rollout")?.way, rules.find("targeted")?.way]).toEqual([ON_BELOW, BY_STEPS]);
    }),
    { numRuns: 300 },
  );
});

it("isEnabled answers whoever gives no context, or one that throws, as the rules do", () => {
  const server = new FakeServer(new FakeTime(), snapshotOf(1));
  const { client } = fakeClient(server, { isOffline: true, held: { snapshot: snapshotOf(1, FLAGS), from: "application" } });
  const throwing = (name: string): EvaluationContext =>
    Object.defineProperty({ targetingKey: "user-1" }, name, {
      enumerable: true,
      get: () => {
        throw new Error("not today");
      },
    });
  const given = [undefined, null, 7, "user-1", [], {}, throwing("targetingKey"), throwing("country")] as never[];
  for (const key of ["rollout", "targeted", "nothing"]) {
    for (let time = 0; time < 2; time++) {
      const answers = given.map((context) => [client.isEnabled(key, context, true), client.isEnabled(key, context, false)]);
      const values = given.map((context) => [client.value(key, context, true), client.value(key, context, false)]);
      expect(answers).toEqual(values);
    }
  }
  expect(client.isEnabled("rollout", throwing("targetingKey"), true)).toBe(true);
  expect(client.isEnabled("targeted", throwing("country"), true)).toBe(true);
  expect(client.isEnabled("rollout", throwing("country"), true)).toBe(client.isEnabled("rollout", { targetingKey: "user-1" }));
});

it("what isEnabled answers by itself is counted with what others decide, by flag and variant", async () => {
  const time = new FakeTime();
  const server = new FakeServer(time, snapshotOf(7, FLAGS));
  const { client } = fakeClient(server);
  await time.advance(100);
  const on = { rollout: 0, targeted: 0 };
  for (let n = 0; n < 1_000; n++) {
    const context = { targetingKey: `user-${n}`, country: n % 4 === 0 ? "AT" : "DE" };
    for (const key of ["rollout", "targeted"] as const) {
      const answer = client.isEnabled(key, context);
      // As an instance it is decided the long way, and `value` always is.
      const others = [client.isEnabled(key, Object.create({}, Object.getOwnPropertyDescriptors(context)) as typeof context)];
      others.push(client.value(key, context, false));
      expect(others).toEqual([answer, answer]);
      if (answer) on[key] += 3;
    }
    client.isEnabled("nothing", context);
  }
  await time.advance(61_000);
  const counts = server.batches.flatMap((batch) => batch.counts ?? []);
  const told = Object.fromEntries(counts.map(({ flag, variant, count }) => [`${flag} ${variant}`, count]));
  expect([on.rollout > 1_000, on.targeted > 750]).toEqual([true, true]);
  expect(told).toEqual({
    "rollout on": on.rollout,
    "rollout off": 3_000 - on.rollout,
    "targeted on": on.targeted,
    "targeted off": 3_000 - on.targeted,
    "nothing undefined": 1_000,
  });
});
