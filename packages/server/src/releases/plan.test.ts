import type { EpochMs, ReleaseState } from "@belay/protocol";
import { describe, expect, it } from "vitest";
import type { Facts, Policy } from "./facts.ts";
import { plan, ppmOf } from "./plan.ts";
import { reviewText } from "./plan-text.ts";
import { ERRORS, factsOf, HOUR_MS, policyOf, T0 } from "./release.fixture.ts";
import { after, eventsOf, type ReleaseEvent } from "./states.ts";

const quiet = factsOf(0, T0).guardrails[0] as Facts["guardrails"][number];

/** Situations a reviewer reads: each file beside this one shows what was known and what was decided. */
const SITUATIONS: Readonly<Record<string, { readonly policy?: Partial<Policy>; readonly facts: Facts }>> = {
  "climbs-when-all-is-answered": { facts: factsOf(1, T0) },
  "waits-for-time": { facts: factsOf(1, T0, { stageSince: T0 - HOUR_MS }) },
  "asks-five-questions-before-full": { facts: factsOf(4, T0, { evidence: {}, units: 12 }) },
  "rolls-back-on-a-breach": { facts: factsOf(2, T0, { guardrails: [{ ...quiet, verdict: "rollback", logE: 5.2 }] }) },
  "rolls-back-on-harm-in-one-treatment": {
    facts: factsOf(2, T0, { guardrails: [{ ...quiet, treatment: "short", verdict: "rollback", logE: 5.9 }] }),
  },
  "rolls-back-while-frozen-and-held": {
    facts: factsOf(2, T0, {
      state: "holding",
      frozen: "database down",
      heldBy: "ann",
      guardrails: [{ ...quiet, verdict: "rollback", logE: 5.2 }],
    }),
  },
  "pauses-on-early-evidence": { facts: factsOf(2, T0, { guardrails: [{ ...quiet, verdict: "pause", logE: 3.1 }] }) },
  "only-reports-a-dry-run": {
    policy: { guardrails: [ERRORS, { ...ERRORS, metric: "latency", dryRun: true }] },
    facts: factsOf(1, T0, { guardrails: [quiet, { metric: "latency", verdict: "rollback", logE: 9 }] }),
  },
  "holds-on-missing-data": { facts: factsOf(1, T0, { guardrails: [{ ...quiet, lastEventAt: T0 - HOUR_MS }] }) },
  "freezes-on-wrong-sizes": { facts: factsOf(3, T0, { isMismatched: true }) },
  "holds-when-lowered-by-hand": { facts: factsOf(3, T0, { livePpm: 0 }) },
  "catches-up-over-pure-waiting": {
    policy: {
      stages: [
        { name: "One", percentage: 1, hold: { minDurationS: 3_600 }, gates: [] },
        { name: "Two", percentage: 2, hold: { minDurationS: 3_600 }, gates: [] },
        { name: "Three", percentage: 3, hold: { minDurationS: 3_600 }, gates: ["monitoring"] },
        { name: "Full", percentage: 100, hold: { minDurationS: 0 }, gates: [] },
      ],
    },
    facts: factsOf(0, T0, { livePpm: 10_000 }),
  },
  "finishes-at-the-top": { facts: factsOf(5, T0, { state: "full" }) },
};

describe("plans, reviewed as text", () => {
  it.each(Object.entries(SITUATIONS))("%s", async (name, { policy: more, facts }) => {
    const policy = policyOf(more);
    await expect(reviewText(policy, facts, plan(policy, facts, T0), T0)).toMatchFileSnapshot(`./plans/${name}.txt`);
  });
});

describe("the planner", () => {
  it("never moves what is not live", () => {
    const dead: readonly ReleaseState[] = ["draft", "ready", "done", "rolling-back", "rolled-back", "aborted"];
    const harmful = { guardrails: [{ ...quiet, verdict: "rollback" as const }] };
    expect(dead.map((state) => plan(policyOf(), factsOf(1, T0, { state, ...harmful }), T0).kind)).toEqual(
      dead.map(() => "nothing"),
    );
  });

  it("waits exactly until the minimum time is over", () => {
    const at = (ms: number): string => plan(policyOf(), factsOf(1, T0 + ms, { stageSince: T0 }), T0 + ms).kind;
    expect([at(4 * HOUR_MS - 1), at(4 * HOUR_MS)]).toEqual(["hold", "advance"]);
  });

  it("asks for the units and the approvals of a stage", () => {
    const [first, ...rest] = policyOf().stages;
    const stages = [{ ...first, hold: { minDurationS: 0, minUnits: 100, approval: ["editor", "operator"] } }, ...rest];
    const policy = policyOf({ stages: stages as Policy["stages"] });
    const reasons = (more: Partial<Facts>) => {
      const decided = plan(policy, factsOf(0, T0, more), T0);
      return decided.kind === "hold" ? decided.reasons : decided.kind;
    };
    expect(reasons({ units: 99, approvals: ["admin", "operator"] })).toEqual([{ code: "min-units", have: 99, need: 100 }]);
    expect(reasons({ approvals: ["admin"] })).toEqual([{ code: "approval-missing", subject: "operator" }]);
    expect(reasons({ approvals: ["operator"] })).toEqual([{ code: "approval-missing", subject: "editor" }]);
    expect(reasons({ approvals: ["operator", "editor"] })).toBe("advance");
    const { units: _, ...unknown } = factsOf(0, T0, { approvals: ["admin", "admin"] });
    expect(plan(policy, unknown, T0)).toMatchObject({ kind: "hold", reasons: [{ code: "min-units", have: 0, need: 100 }] });
  });

  it("fires its dead-man timer when events stop, not before", () => {
    const at = (ageS: number): unknown => {
      const facts = factsOf(1, T0, { stageSince: T0, guardrails: [{ ...quiet, lastEventAt: T0 - 1_000 * ageS }] });
      const decided = plan(policyOf(), facts, T0);
      return decided.kind === "hold" && decided.isAlarm ? decided.reasons : "no alarm";
    };
    expect([at(600), at(601)]).toEqual(["no alarm", [{ code: "data-missing", subject: "errors" }]]);
  });

  it("gives a guardrail never heard of its time, and does not climb meanwhile", () => {
    const { lastEventAt: _, ...never } = quiet;
    const kinds = [0, 600, 601].map((s) => {
      const now = T0 + 1_000 * s;
      const stages = policyOf().stages.map((stage) => ({ ...stage, gates: [], hold: { minDurationS: 0 } }));
      const decided = plan(policyOf({ stages }), factsOf(1, now, { stageSince: T0, guardrails: [never] }), now);
      return decided.kind === "hold" ? { alarm: decided.isAlarm, reasons: decided.reasons } : decided.kind;
    });
    const reasons = [{ code: "data-missing", subject: "errors" }];
    expect(kinds).toEqual([
      { alarm: false, reasons },
      { alarm: false, reasons },
      { alarm: true, reasons },
    ]);
  });

  it("keeps the holdout out at the top", () => {
    const policy = policyOf({ holdoutPercentage: 5 });
    expect(policy.stages.map((_, stage) => ppmOf(policy, stage))).toEqual([10_000, 50_000, 100_000, 250_000, 500_000, 950_000]);
  });

  it("makes the same plan of the same facts", () => {
    const now: EpochMs = T0;
    expect(plan(policyOf(), factsOf(2, now), now)).toEqual(plan(policyOf(), factsOf(2, now), now));
  });
});

describe("the table of states", () => {
  it("takes exactly these events", () => {
    const states: readonly ReleaseState[] = [
      "draft",
      "ready",
      "ramping",
      "holding",
      "full",
      "done",
      "rolling-back",
      "rolled-back",
      "aborted",
    ];
    expect(Object.fromEntries(states.map((state) => [state, eventsOf(state).join(" ")]))).toEqual({
      draft: "edit ready abort",
      ready: "edit start abort",
      ramping: "advance reach-top hold rollback abort",
      holding: "advance reach-top hold resume rollback abort",
      full: "hold finish rollback abort",
      done: "rollback",
      "rolling-back": "acknowledged",
      "rolled-back": "",
      aborted: "",
    });
  });

  it("lets every exposed state go back", () => {
    const rollback: ReleaseEvent = "rollback";
    expect((["ramping", "holding", "full", "done"] as const).map((state) => after(state, rollback))).toEqual([
      "rolling-back",
      "rolling-back",
      "rolling-back",
      "rolling-back",
    ]);
  });
});
