import { Type } from "@sinclair/typebox";
import type {
  EffectDecay,
  HoldoutPeriod,
  InterferenceScreen,
  KeptOutRelease,
  KeptOutReport,
  ReleaseHoldout,
  ReleaseInteraction,
  ReleaseInterference,
  ReleaseOverlap,
} from "../release-effects.ts";
import { closed, count, number, percentage, share, text, time } from "./fields.ts";
import { oneOf } from "./flag.ts";
import { StatedEffectSchema, statedSchema } from "./results.ts";
import type { Schema } from "./schema.ts";

const lag = Type.Number({ minimum: 0 });
const kind = oneOf<ReleaseOverlap["kind"]>(["experiment", "release"]);

const PeriodSchema: Schema<HoldoutPeriod> = Type.Object(
  { from: time, to: time, heldOut: count, rest: count, absolute: StatedEffectSchema, relative: StatedEffectSchema },
  closed,
);

const RateIntervalSchema: Schema<EffectDecay["interval"]> = Type.Object(
  { low: Type.Optional(number), high: Type.Optional(number), level: share },
  closed,
);

const measured = {
  percentage,
  from: time,
  whole: PeriodSchema,
  decay: statedSchema<EffectDecay>({
    initial: number,
    latest: number,
    ratePerDay: number,
    interval: RateIntervalSchema,
    halfLifeDays: Type.Optional(Type.Number({ minimum: 0 })),
    pValue: share,
  }),
};

export const ReleaseHoldoutSchema: Schema<ReleaseHoldout> = Type.Object(
  { metric: text, at: time, lagMs: lag, ...measured, periods: Type.Array(PeriodSchema) },
  closed,
);

const KeptOutReleaseSchema: Schema<KeptOutRelease> = Type.Object({ release: text, flag: text, ...measured }, closed);

export const KeptOutReportSchema: Schema<KeptOutReport> = Type.Object(
  {
    metric: text,
    tag: Type.Optional(text),
    at: time,
    lagMs: lag,
    releases: Type.Array(KeptOutReleaseSchema),
    more: count,
    together: Type.Object({ releases: count, value: number, standardError: Type.Number({ minimum: 0 }) }, closed),
  },
  closed,
);

const OverlapSchema: Schema<ReleaseOverlap> = Type.Object(
  { kind, key: text, flag: text, stages: Type.Array(Type.Object({ name: text, percentage, ofThis: percentage }, closed)) },
  closed,
);

const InteractionSchema: Schema<ReleaseInteraction> = Type.Object(
  {
    kind,
    key: text,
    treatment: text,
    ownTreatment: Type.Optional(text),
    units: count,
    effect: StatedEffectSchema,
    adjustedP: Type.Optional(share),
    smallestDetectable: Type.Optional(Type.Number({ minimum: 0 })),
  },
  closed,
);

const ScreenSchema: Schema<InterferenceScreen> = Type.Object(
  { metric: text, at: time, lagMs: lag, pairs: Type.Array(InteractionSchema) },
  closed,
);

export const ReleaseInterferenceSchema: Schema<ReleaseInterference> = Type.Object(
  { forecast: Type.Array(OverlapSchema), screen: Type.Optional(ScreenSchema) },
  closed,
);
