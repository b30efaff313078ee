import { expect, it } from "vitest";
import { createLeanClient } from "./index.ts";
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
