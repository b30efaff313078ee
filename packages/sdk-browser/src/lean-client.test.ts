import { expect, it } from "vitest";
import { createClient, createLeanClient } from "./index.ts";
import { rollout, snapshotOf } from "./rules.fixture.ts";

/** 100 flags whose rollouts stand at 0, 1, 2 ... 99 %. */
const FLAGS = Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`flag-${n}`, rollout(n * 10_000)]));

/** A context that counts how often a flag looked at it. */
function watched(targetingKey: string): { readonly context: { readonly targetingKey: string }; readonly looks: () => number } {
  let looks = 0;
  const context = {
    get targetingKey() {
      looks += 1;
      return targetingKey;
    },
  };
  return { context, looks: () => looks };
}

it("decides for the next person what is asked for, and the rest only for a listener that wants to know what changed", () => {
  const ann = watched("ann");
  const bob = watched("bob");
  const client = createLeanClient({ bootstrap: snapshotOf(1, FLAGS), context: ann.context });
  const told: { readonly revision: number; readonly keys: readonly string[] }[] = [];
  client.on("change", (change) => told.push(change));
  client.identify(bob.context);
  const forBob = client.isEnabled("flag-50");
  const [looksAtAnn, looksAtBob] = [ann.looks(), bob.looks()];
  expect(looksAtAnn).toBe(0);
  client.isEnabled("flag-50");
  expect([told.length, bob.looks()]).toEqual([1, looksAtBob]);
  const keys = told[0]?.keys ?? [];
  // All rollouts share a salt: who lies lower is let in earlier, and between the two lie the flags that differ.
  const on = (targetingKey: string): string[] => {
    const own = createLeanClient({ bootstrap: snapshotOf(1, FLAGS), context: { targetingKey } });
    return Object.keys(FLAGS).filter((key) => own.isEnabled(key));
  };
  const [ofAnn, ofBob] = [on("ann"), on("bob")];
  expect(keys).toEqual(Object.keys(FLAGS).filter((key) => ofAnn.includes(key) !== ofBob.includes(key)));
  expect(keys.length).toBeGreaterThan(0);
  expect([forBob, ann.looks() / looksAtBob, bob.looks() / looksAtBob]).toEqual([ofBob.includes("flag-50"), 100, 100]);
});

it.each([
  ["nothing", undefined],
  ["a number", 1],
  ["a symbol", Symbol("flag-99")],
  ["what will not be text", { toString: () => fail("no text") }],
  ["what says it is a flag", { toString: () => "flag-99" }],
])("answers the default for a key that is %s", (_, key) => {
  const bootstrap = snapshotOf(1, FLAGS);
  const said: string[] = [];
  const logger = { warn: (message: string) => said.push(message) };
  const client = createClient({ bootstrap, context: { targetingKey: "ann" }, logger });
  const ask = key as unknown as string;
  const answers = [client.isEnabled(ask, true), client.value(ask, 7), client.evaluate(ask, "x"), client.peek(ask, "y")];
  expect(answers).toEqual([
    true,
    7,
    { value: "x", reason: "ERROR", errorCode: "FLAG_NOT_FOUND", revision: 1 },
    { value: "y", reason: "ERROR", errorCode: "FLAG_NOT_FOUND", revision: 1 },
  ]);
  expect(said).toEqual(["belay: flag  defaults: FLAG_NOT_FOUND"]);
});

function fail(message: string): never {
  throw new Error(message);
}
