import { expect, it } from "vitest";
import { begun, PropagationTracker } from "./propagation.ts";
import { T0 } from "./release.fixture.ts";

const fifty = Array.from({ length: 50 }, (_, i) => `instance-${String(i).padStart(2, "0")}`);

function rollback(): PropagationTracker {
  return new PropagationTracker({
    revision: 9,
    detectedAt: T0 - 40,
    decidedAt: T0,
    publishedAt: T0 + 5,
    instances: fifty,
  });
}

it("names the one of fifty that was cut off, and says so no longer once it is back", () => {
  const tracker = rollback();
  for (const [i, instance] of fifty.entries()) if (i !== 17) tracker.note(instance, 9, T0 + 10 * (i + 1));
  expect(tracker.view()).toEqual({
    revision: 9,
    detectedAt: "2026-11-22T11:59:59.960Z",
    decidedAt: "2026-11-22T12:00:00.000Z",
    publishedAt: "2026-11-22T12:00:00.005Z",
    instances: 50,
    acknowledged: 49,
    ms50: 260,
    ms95: 490,
    laggards: ["instance-17"],
  });
  expect(tracker.isComplete).toBe(false);
  tracker.note("instance-17", 10, T0 + 60_000);
  expect(tracker.view()).toMatchObject({ instances: 50, acknowledged: 50, ms50: 260, ms95: 490, ms100: 60_000, laggards: [] });
  expect(tracker.isComplete).toBe(true);
});

it("believes no older revision, no stranger, and nobody twice", () => {
  const tracker = rollback();
  tracker.note("instance-00", 8, T0 + 1);
  tracker.note("stranger", 9, T0 + 1);
  tracker.note("instance-01", 9, T0 + 1);
  tracker.note("instance-01", 9, T0 + 2);
  expect(tracker.view()).toMatchObject({ acknowledged: 1, instances: 50 });
});

it("is complete at once where nobody ran, and gives no times for it", () => {
  const tracker = new PropagationTracker({ revision: 2, decidedAt: T0, publishedAt: T0, instances: [] });
  expect([tracker.isComplete, tracker.view().ms100]).toEqual([true, undefined]);
});

it("goes on from its record with the same laggard and the same times, whenever it was written down", () => {
  for (const written of [10, 24, 25, 47, 48, 49]) {
    const whole = rollback();
    let tracker = rollback();
    for (const [i, instance] of fifty.entries()) {
      if (i === 17) continue;
      for (const each of [whole, tracker]) each.note(instance, 9, T0 + 10 * (i + 1));
      if (tracker.acknowledged === written) tracker = PropagationTracker.from(tracker.view());
    }
    expect(tracker.view()).toEqual(whole.view());
    expect(tracker.view().laggards).toEqual(["instance-17"]);
    for (const each of [whole, tracker]) each.note("instance-17", 9, T0 + 900);
    expect(tracker.view()).toEqual(whole.view());
    expect([tracker.isComplete, tracker.view().ms100]).toEqual([true, 900]);
  }
});

it("is begun with everybody still waited for", () => {
  const record = begun({ revision: 9, decidedAt: T0, publishedAt: T0, instances: ["b", "a"] });
  expect(record).toMatchObject({ instances: 2, acknowledged: 0, laggards: ["a", "b"] });
  expect(PropagationTracker.from(record).view()).toEqual(record);
});
