import { type TProperties, Type } from "@sinclair/typebox";
import type { Advice, ExperimentStatus, Look, Phase } from "../experiment.ts";
import type { MetricKind } from "../metric.ts";
import type {
  ArmReport,
  Comparison,
  CrossingReport,
  CumulativeReport,
  ExperimentResults,
  HoldoutReport,
  IncidentReport,
  InteractionResult,
  InteractionScreenReport,
  LossReport,
  MetricResult,
  PredictionReport,
  ProgressReport,
  QualityAlarm,
  QualityReport,
  SegmentResult,
  ShippedEffect,
  Stated,
  StatedEffect,
  StatedInterval,
} from "../results.ts";
import { closed, count, number, share, text, time, yes } from "./fields.ts";
import { oneOf } from "./flag.ts";
import type { Schema } from "./schema.ts";

/** What results answer, as OpenAPI shows it. Closed: a field that is answered and not told of here is a fault. */

const probability = share;

/** A value, or the reason for there being none. */
export function statedSchema<T>(value: TProperties): Schema<Stated<T>> {
  return Type.Unsafe<Stated<T>>(
    Type.Union([
      Type.Object({ status: Type.Literal("ok"), ...value }, closed),
      Type.Object({ status: oneOf(["insufficient", "undefined", "not-yet"] as const), reason: text }, closed),
    ]),
  );
}

const IntervalSchema: Schema<StatedInterval> = Type.Object({ low: number, high: number, level: share }, closed);

const effectFields = { value: number, standardError: Type.Number({ minimum: 0 }), interval: IntervalSchema, pValue: probability };

export const StatedEffectSchema: Schema<Stated<StatedEffect>> = statedSchema<StatedEffect>(effectFields);

const ADVICE: readonly Advice["advice"][] = ["ship", "do-not-ship", "not-enough-yet", "fix-quality-first"];
/** What the ship rule says, as fields of what carries it. */
export const adviceFields: { advice: Schema<Advice["advice"]>; because: Schema<readonly string[]> } = {
  advice: oneOf(ADVICE),
  because: Type.Array(text),
};

const VERDICTS: readonly LossReport["verdict"][] = ["even", "skewed-assignment", "skewed-loss", "skewed-both", "unknown"];

const LossSchema: Schema<LossReport> = Type.Unsafe<LossReport>(
  Type.Object(
    {
      verdict: oneOf(VERDICTS),
      arms: Type.Array(
        Type.Object({ variant: text, produced: count, stored: count, dropped: count, lost: count, inFlight: count }, closed),
      ),
    },
    closed,
  ),
);

const CHECKS: readonly QualityAlarm["checks"][number][] = ["sampleRatio", "loss", "crossing", "beforeStart"];

const AlarmSchema: Schema<QualityAlarm> = Type.Unsafe<QualityAlarm>(
  Type.Object({ at: time, checks: Type.Array(oneOf(CHECKS)), sentence: text, route: text }, closed),
);

const QualitySchema: Schema<QualityReport> = Type.Object(
  {
    isGood: yes,
    sampleRatio: Type.Object(
      {
        pValue: Type.Optional(probability),
        anytimePValue: Type.Optional(probability),
        isMismatched: yes,
        sentence: text,
        segments: Type.Array(text),
      },
      closed,
    ),
    crossing: statedSchema<CrossingReport>({ share, pValue: Type.Optional(probability), isUnhealthy: yes }),
    beforeStart: Type.Optional(Type.Object({ pValue: probability, isUnhealthy: yes }, closed)),
    loss: Type.Optional(LossSchema),
    alarm: Type.Optional(AlarmSchema),
    alertRoute: Type.Optional(Type.Object({ route: text, isDead: yes, reason: Type.Optional(text) }, closed)),
  },
  closed,
);

const ArmReportSchema: Schema<ArmReport> = Type.Object(
  { variant: text, units: count, crossed: count, share, designedShare: Type.Optional(share) },
  closed,
);

const ledgers = Type.Array(oneOf(["plan", "sequence"] as const));

const ComparisonSchema: Schema<Comparison> = Type.Unsafe<Comparison>(
  Type.Object(
    {
      treatment: text,
      method: text,
      absolute: StatedEffectSchema,
      relative: StatedEffectSchema,
      shrunken: statedSchema({ value: number, interval: IntervalSchema, kept: share }),
      varianceRatio: Type.Optional(Type.Number({ minimum: 0 })),
      sequential: statedSchema({ interval: IntervalSchema, anytimePValue: probability, rejectedBy: ledgers }),
      nonInferiority: Type.Optional(
        statedSchema({
          method: oneOf(["count", "sequence"] as const),
          tolerance: number,
          anytimePValue: probability,
          isNonInferior: yes,
        }),
      ),
      isImproved: yes,
      isDeteriorated: yes,
      series: Type.Array(Type.Object({ day: text, value: number, low: number, high: number }, closed)),
    },
    closed,
  ),
);

const ROLES: readonly MetricResult["role"][] = ["primary", "secondary", "guardrail"];
const KINDS: readonly MetricKind[] = ["proportion", "count", "sum", "mean", "ratio", "quantile", "retention", "funnel"];

const MetricResultSchema: Schema<MetricResult> = Type.Unsafe<MetricResult>(
  Type.Object(
    {
      metric: text,
      version: Type.Integer({ minimum: 1 }),
      role: oneOf(ROLES),
      kind: oneOf(KINDS),
      good: oneOf(["increase", "decrease"] as const),
      arms: Type.Array(Type.Object({ variant: text, units: count, value: statedSchema({ value: number }) }, closed)),
      comparisons: Type.Array(ComparisonSchema),
    },
    closed,
  ),
);

const adjusted = { adjustedP: Type.Optional(probability) };

const SegmentResultSchema: Schema<SegmentResult> = Type.Object(
  { attribute: text, value: text, metric: text, treatment: text, units: count, relative: StatedEffectSchema, ...adjusted },
  closed,
);

const pair = Type.Unsafe<readonly [string, string]>(Type.Tuple([text, text]));
const interactionFields = {
  treatments: pair,
  units: count,
  effect: StatedEffectSchema,
  ...adjusted,
  smallestDetectable: Type.Optional(Type.Number({ minimum: 0 })),
};

const InteractionResultSchema: Schema<InteractionResult> = Type.Object(
  { experiment: text, metric: text, ...interactionFields },
  closed,
);

const ProgressSchema: Schema<ProgressReport> = Type.Object(
  {
    metric: text,
    treatment: text,
    fraction: Type.Optional(Type.Number({ minimum: 0 })),
    precision: Type.Optional(Type.Number({ minimum: 0 })),
    daysLeft: Type.Optional(count),
  },
  closed,
);

const PredictionReportSchema: Schema<PredictionReport> = Type.Object(
  {
    metric: text,
    treatment: text,
    predicted: Type.Object({ mean: number, interval: IntervalSchema }, closed),
    actual: statedSchema<{ readonly value: number }>({ value: number }),
    score: statedSchema<{ readonly intervalScore: number; readonly crps: number; readonly covered: boolean }>({
      intervalScore: number,
      crps: number,
      covered: yes,
    }),
  },
  closed,
);

const IncidentReportSchema: Schema<IncidentReport> = Type.Object(
  {
    incident: text,
    reason: text,
    metric: text,
    treatment: text,
    with: StatedEffectSchema,
    without: StatedEffectSchema,
    interaction: StatedEffectSchema,
  },
  closed,
);

export const PhaseSchema: Schema<Phase> = Type.Object(
  { epoch: count, from: time, weights: Type.Optional(Type.Record(Type.String(), Type.Number({ minimum: 0 }))) },
  closed,
);

export const LookSchema: Schema<Look> = Type.Unsafe<Look>(
  Type.Object(
    {
      at: time,
      metric: text,
      treatment: text,
      units: Type.Object({ control: count, treatment: count }, closed),
      effect: number,
      variance: Type.Number({ minimum: 0 }),
      information: Type.Number({ minimum: 0 }),
      fraction: Type.Optional(Type.Number({ minimum: 0 })),
      alphaSpent: Type.Optional(probability),
      bound: Type.Optional(number),
      rejectedBy: ledgers,
    },
    closed,
  ),
);

const PriorSchema: Schema<ExperimentResults["prior"]> = Type.Object(
  { mean: number, sd: number, source: oneOf(["fitted", "default"] as const), tests: count },
  closed,
);

export const ExperimentStatusSchema: Schema<ExperimentStatus> = oneOf(["draft", "running", "stopped", "decided"]);

export const ExperimentResultsSchema: Schema<ExperimentResults> = Type.Unsafe<ExperimentResults>(
  Type.Object(
    {
      project: text,
      experiment: text,
      hypothesis: text,
      status: ExperimentStatusSchema,
      control: text,
      at: time,
      lagMs: Type.Number({ minimum: 0 }),
      hash: Type.Optional(text),
      population: oneOf(["exposed", "triggered"] as const),
      verdict: Type.Object({ ...adviceFields, headline: text, sentences: Type.Array(text) }, closed),
      quality: QualitySchema,
      arms: Type.Array(ArmReportSchema),
      metrics: Type.Array(MetricResultSchema),
      segments: Type.Array(SegmentResultSchema),
      interactions: Type.Array(InteractionResultSchema),
      progress: Type.Array(ProgressSchema),
      prediction: Type.Optional(PredictionReportSchema),
      incidents: Type.Array(IncidentReportSchema),
      prior: PriorSchema,
      phases: Type.Array(PhaseSchema),
      looks: Type.Array(LookSchema),
    },
    closed,
  ),
);

const heldArm = Type.Object({ units: count, value: statedSchema<{ readonly value: number }>({ value: number }) }, closed);

export const HoldoutReportSchema: Schema<HoldoutReport> = Type.Object(
  {
    holdout: text,
    environment: text,
    metric: text,
    version: Type.Integer({ minimum: 1 }),
    from: time,
    at: time,
    lagMs: Type.Number({ minimum: 0 }),
    heldOut: heldArm,
    rest: heldArm,
    sampleRatio: statedSchema<{ readonly pValue: number; readonly isMismatched: boolean }>({
      pValue: probability,
      isMismatched: yes,
    }),
    absolute: StatedEffectSchema,
    relative: StatedEffectSchema,
  },
  closed,
);

const ShippedSchema: Schema<ShippedEffect> = Type.Object(
  {
    experiment: text,
    variant: text,
    decidedAt: time,
    isAgainstAdvice: yes,
    effect: number,
    standardError: Type.Number({ minimum: 0 }),
    shrunken: number,
  },
  closed,
);

export const CumulativeReportSchema: Schema<CumulativeReport> = Type.Object(
  {
    environment: text,
    metric: text,
    at: time,
    prior: PriorSchema,
    shipped: Type.Array(ShippedSchema),
    unmeasured: Type.Array(text),
    raw: number,
    total: Type.Object({ value: number, interval: IntervalSchema }, closed),
    holdout: Type.Optional(HoldoutReportSchema),
  },
  closed,
);

export const InteractionScreenSchema: Schema<InteractionScreenReport> = Type.Object(
  {
    environment: text,
    metric: text,
    at: time,
    lagMs: Type.Number({ minimum: 0 }),
    experiments: Type.Array(text),
    pairs: Type.Array(Type.Object({ experiments: pair, ...interactionFields }, closed)),
  },
  closed,
);
