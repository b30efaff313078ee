import type { GateId, ReleaseEvidence } from "@belay/protocol";
import { describe, expect, it } from "vitest";
import type { Facts, Policy } from "./facts.ts";
import { GATES } from "./gates.ts";
import { reasonText } from "./plan-text.ts";
import { factsOf, HOUR_MS, policyOf, T0 } from "./release.fixture.ts";

const open = factsOf(4, T0);
const guardrail = open.guardrails[0] as Facts["guardrails"][number];
const { drill } = open.evidence as Required<ReleaseEvidence>;
const long = new Date(T0 - 31 * 24 * HOUR_MS).toISOString();

const evidence = (more: Partial<ReleaseEvidence>): Partial<Facts> => ({ evidence: { ...open.evidence, ...more } });
const without = <K extends keyof ReleaseEvidence>(key: K): Partial<Facts> => {
  const { [key]: _, ...rest } = open.evidence;
  return { evidence: rest };
};
const lacking = (key: "loss" | "exposuresAt" | "metricsAt"): Facts => {
  const { [key]: _, ...rest } = open;
  return rest as Facts;
};

/** One piece of evidence gone bad each, and every gate that closes by it, with what it says. */
const TABLE: readonly (readonly [
  evidence: string,
  bad: { readonly facts?: Partial<Facts>; readonly whole?: Facts; readonly policy?: Partial<Policy> },
  closed: Partial<Record<GateId, string>>,
])[] = [
  ["nothing", {}, {}],
  ["no drill", { facts: without("drill") }, { "rollback-readiness": "drill-missing" }],
  ["a failed drill", { facts: evidence({ drill: { ...drill, passed: false } }) }, { "rollback-readiness": "drill-failed" }],
  [
    "an old drill",
    { facts: evidence({ drill: { ...drill, at: long } }) },
    { "rollback-readiness": "drill-stale (have 31, need 30)" },
  ],
  ["no test alert", { facts: without("alertsTested") }, { monitoring: "alert-route-untested slack:#releases" }],
  [
    "an old test alert",
    { facts: evidence({ alertsTested: { "slack:#releases": long } }) },
    { monitoring: "alert-route-untested slack:#releases" },
  ],
  [
    "a second route, untested",
    { policy: { alertRoutes: ["slack:#releases", "mailto:b@example.org"] } },
    { monitoring: "alert-route-untested mailto:b@example.org" },
  ],
  [
    "a silent guardrail",
    { facts: { guardrails: [{ ...guardrail, lastEventAt: T0 - HOUR_MS }] } },
    { monitoring: "guardrail-silent errors" },
  ],
  ["silent exposures", { facts: { exposuresAt: T0 - HOUR_MS } }, { learning: "exposures-silent" }],
  ["no exposures", { whole: lacking("exposuresAt") }, { learning: "exposures-silent" }],
  ["silent metric events", { facts: { metricsAt: T0 - HOUR_MS } }, { learning: "metrics-silent" }],
  ["no metric events", { whole: lacking("metricsAt") }, { learning: "metrics-silent" }],
  ["loss not known", { whole: lacking("loss") }, { learning: "loss-unknown" }],
  ["too much loss", { facts: { loss: 0.011 } }, { learning: "loss-too-high (have 0.011, need 0.01)" }],
  ["wrong sizes of arms", { facts: { isMismatched: true } }, { learning: "sample-ratio-mismatch" }],
  ["power not known", { facts: without("power") }, { learning: "power-unknown" }],
  [
    "power out of reach",
    { facts: evidence({ power: { at: long, by: "ann", days: 29 } }) },
    { learning: "power-out-of-reach (have 29, need 28)" },
  ],
  [
    "power known from the data, whatever a person said",
    { facts: { ...evidence({ power: { at: long, by: "ann", days: 99 } }), guardrails: [{ ...guardrail, daysToTell: 27.2 }] } },
    {},
  ],
  [
    "power known from the data though nobody said any",
    { facts: { ...without("power"), guardrails: [{ ...guardrail, daysToTell: 0 }] } },
    {},
  ],
  [
    "power out of reach by the data",
    { facts: { guardrails: [{ ...guardrail, daysToTell: 28.2 }] } },
    { learning: "power-out-of-reach errors (have 29, need 28)" },
  ],
  ["a runbook nobody tried", { facts: without("runbookTried") }, { team: "runbook-untried" }],
  ["a runbook its author tried", { facts: evidence({ runbookTried: { at: long, by: "ann" } }) }, { team: "runbook-untried" }],
  ["no note", { facts: without("noteSent") }, { impact: "note-missing" }],
  ["no prediction", { policy: { predictions: [] } }, { impact: "prediction-missing" }],
  [
    "a guardrail that may be worse",
    { facts: { guardrails: [{ ...guardrail, isNonInferior: false }] } },
    { "non-inferiority": "not-yet-non-inferior errors" },
  ],
  [
    "an alarm, which is no evidence for or against a gate",
    { facts: { guardrails: [{ ...guardrail, verdict: "pause", logE: 3.2 }] } },
    {},
  ],
];

describe("gates flip on exactly the evidence they name", () => {
  it.each(TABLE)("%s", (_, { facts, whole, policy }, closed) => {
    const policyNow = policyOf(policy);
    const known = whole ?? { ...open, ...facts };
    const answers = Object.entries(GATES).map(([gate, ask]) => [gate, ask(policyNow, known, T0).map(reasonText)] as const);
    const shut = answers.filter(([, reasons]) => reasons.length > 0).map(([gate, reasons]) => [gate, reasons.join("; ")]);
    expect(Object.fromEntries(shut)).toEqual(closed);
  });

  it("asks for contacts", () => {
    const { contacts: _, ...policy } = policyOf();
    expect(GATES.team(policy, open, T0)).toEqual([{ code: "contact-missing" }]);
  });
});
