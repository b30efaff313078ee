import type { GuardrailRecord, Improvement } from "@belay/protocol";
import { expect, it } from "vitest";
import { adviceOn, type Recorded } from "./advice.ts";

const AT = "2026-11-22T12:00:00.000Z";
const HOUR_MS = 3_600_000;
const WITNESSED = { at: AT, by: "bob" };
const SWITCHED = { revision: 1, decidedAt: AT, publishedAt: AT, instances: 2, acknowledged: 2, laggards: [] };
const DRILL = { ...WITNESSED, environment: "production", passed: true, off: SWITCHED, on: SWITCHED };
const SCORED = { status: "ok", intervalScore: 0.1, crps: 0.01, covered: true } as const;

const LOOK = {
  at: AT,
  percentage: 10,
  treated: 9,
  control: 70,
  logEvidence: 0,
  verdict: "quiet",
  isNonInferior: true,
} as const;

const GUARDRAIL: GuardrailRecord = {
  metric: "errors",
  event: "error",
  kind: "failures",
  harm: "increase",
  tolerance: 0,
  margin: 0.5,
  onBreach: "rollback",
  isDryRun: false,
  looks: [LOOK],
  strata: [],
  effect: { status: "insufficient", reason: "too-few-events" },
};

/** A release that did everything well. */
const WELL: Recorded = {
  ...{ project: "default", environment: "production", release: "checkout", flag: "checkout", variant: "on", description: "" },
  ...{ author: "ann", state: "done", createdAt: AT, startedAt: AT, at: AT, lagMs: 0, notCounted: [] },
  timeline: [],
  exposure: [{ from: AT, percentage: 100, change: 1, treated: 10, control: 10 }],
  gates: [],
  guardrails: [GUARDRAIL],
  segments: [],
  interference: [],
  unitsShare: 1,
  incidents: [],
  alongside: [],
  predictions: [
    { metric: "errors", mean: 0, interval: [-0.1, 0.1], level: 0.9, actual: { status: "ok", value: 0 }, score: SCORED },
  ],
  latencies: { holding: 0, stages: [] },
  lessons: [],
};

const EFFECT = {
  status: "ok",
  value: 0.5,
  standardError: 0.1,
  interval: { low: 0.3, high: 0.7, level: 0.95 },
  pValue: 0.01,
} as const;
const HALF = { units: 100, counted: 50 };
const SEGMENT = { attribute: "country", value: "DE", metric: "errors", treated: HALF, control: HALF, effect: EFFECT };
const PAIR = {
  kind: "experiment",
  key: "prices",
  metric: "errors",
  treatment: "low",
  effect: EFFECT,
  cells: { cc: HALF, ct: HALF, tc: HALF, tt: HALF },
} as const;

const PREPARED = { reasons: [], evidence: { drill: DRILL, runbookTried: WITNESSED }, author: "ann" };
const BACK = { ...WELL, state: "rolled-back" as const, rollback: SWITCHED };
const BREACH = { code: "guardrail-breach", subject: "errors" } as const;
const STAGE = { stage: 1, name: "Beta", percentage: 10, from: AT, to: AT, stayed: 30 * HOUR_MS, waited: 25 * HOUR_MS };

const CASES: readonly [Improvement["code"] | "nothing", Recorded, Parameters<typeof adviceOn>[1]][] = [
  ["nothing", WELL, PREPARED],
  ["nothing", { ...BACK, exposure: [] }, { ...PREPARED, reasons: [BREACH] }],
  ["found-late", BACK, { ...PREPARED, reasons: [BREACH] }],
  ["found-by-people", BACK, { ...PREPARED, reasons: [{ code: "rolled-back-by-person", subject: "ann" }] }],
  ["found-by-people", BACK, { ...PREPARED, reasons: [{ code: "external-trigger", subject: "errors" }] }],
  ["laggards", { ...BACK, rollback: { ...SWITCHED, acknowledged: 1, laggards: ["shop-2"] } }, PREPARED],
  ["no-instances", { ...BACK, rollback: { ...SWITCHED, instances: 0, acknowledged: 0 } }, PREPARED],
  ["no-drill", WELL, { ...PREPARED, evidence: { runbookTried: WITNESSED } }],
  ["no-drill", WELL, { ...PREPARED, evidence: { ...PREPARED.evidence, drill: { ...DRILL, passed: false } } }],
  ["runbook-untried", WELL, { ...PREPARED, author: "bob" }],
  ["no-prediction", { ...WELL, predictions: [] }, PREPARED],
  [
    "prediction-missed",
    { ...WELL, predictions: WELL.predictions.map((one) => ({ ...one, score: { ...SCORED, covered: false } })) },
    PREPARED,
  ],
  [
    "stood-without-data",
    {
      ...WELL,
      timeline: [
        { change: 1, at: AT, by: "Belay", action: "release.hold", because: [{ code: "data-missing", subject: "errors" }] },
      ],
    },
    PREPARED,
  ],
  ["stage-waited", { ...WELL, latencies: { holding: 0, stages: [STAGE] } }, PREPARED],
  ["nothing", { ...WELL, latencies: { holding: 0, stages: [{ ...STAGE, waited: 23 * HOUR_MS }] } }, PREPARED],
  ["never-shown-harmless", { ...WELL, guardrails: [{ ...GUARDRAIL, looks: [{ ...LOOK, isNonInferior: false }] }] }, PREPARED],
  ["nothing", { ...WELL, guardrails: [{ ...GUARDRAIL, isDryRun: true, looks: [{ ...LOOK, isNonInferior: false }] }] }, PREPARED],
  ["segment-worse", { ...WELL, segments: [{ ...SEGMENT, adjustedP: 0.04 }] }, PREPARED],
  ["nothing", { ...WELL, segments: [{ ...SEGMENT, adjustedP: 0.06 }] }, PREPARED],
  ["nothing", { ...WELL, segments: [{ ...SEGMENT, effect: { ...EFFECT, value: -0.5 }, adjustedP: 0.04 }] }, PREPARED],
  ["interference", { ...WELL, interference: [{ ...PAIR, adjustedP: 0.04 }] }, PREPARED],
  ["nothing", { ...WELL, interference: [{ ...PAIR, adjustedP: 0.06 }, PAIR] }, PREPARED],
  ["incident-overlapped", { ...WELL, incidents: [{ incident: "dns", reason: "DNS", from: AT }] }, PREPARED],
];

it.each(CASES)("says %s of exactly what shows it", (code, log, body) => {
  expect(adviceOn(log, body).map((improvement) => improvement.code)).toEqual(code === "nothing" ? [] : [code]);
});

it("has no advice for what never started", () => {
  const { startedAt: _, ...draft } = WELL;
  expect(adviceOn(draft, { reasons: [], evidence: {}, author: "ann" })).toEqual([]);
});
