import { describe, expect, it } from "vitest";
import { explain } from "./explain.ts";
import { createClient } from "./index.ts";
import { experiment, rollout, snapshotOf } from "./rules.fixture.ts";

const FLAGS = { half: rollout(500_000), pricing: experiment() };

describe("explaining in a page", () => {
  const client = createClient({ bootstrap: snapshotOf(7, FLAGS) });

  it("comes to what the client answers, for everybody, and says by which rule", () => {
    let on = 0;
    for (let at = 0; at < 200; at++) {
      const context = { targetingKey: `user-${at}` };
      client.identify(context);
      for (const key of Object.keys(FLAGS)) {
        const { value, variant, reason, ruleId } = client.peek(key, key === "half" ? false : "none");
        const told = explain(client, key, context);
        expect(told).toMatchObject({ flag: key, project: "default", environment: "production", revision: 7 });
        const { result } = told;
        expect([result.value, result.variant, result.reason, result.ruleId]).toEqual([value, variant, reason, ruleId]);
        expect(told.lines.length).toBeGreaterThan(1);
        if (value === true) on++;
      }
    }
    expect([on > 60, on < 140]).toEqual([true, true]);
  });

  it("neither throws nor counts, whatever it is asked", () => {
    const hostile = Object.defineProperty({}, "targetingKey", {
      enumerable: true,
      get: () => {
        throw new Error("no");
      },
    });
    expect(explain(client, "half", hostile).result.reason).toBe("ERROR");
    expect(explain(client, "nowhere", {}).result.errorCode).toBe("FLAG_NOT_FOUND");
    expect(client.report()).toEqual({ produced: 0, stored: 0, dropped: 0, queued: 0 });
  });
});
