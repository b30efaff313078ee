import type { Defect, ExplainedCondition, ExplainedResult, ExplainedServe, ExplainedStep, Explanation } from "@belay/core";
import { ERRORS, type ErrorCode } from "@belay/protocol";
import {
  EvaluationErrorCodeSchema,
  EvaluationReasonSchema,
  JsonSchema,
  oneOf,
  reference,
  type Schema,
} from "@belay/protocol/schemas";
import { Type } from "@sinclair/typebox";

/** One evaluation, told, as OpenAPI shows it. */

const closed = { additionalProperties: false } as const;
const text = Type.String();
const optionalText = Type.Optional(text);
const holds = Type.Boolean();
const ppm = Type.Integer({ minimum: 0, maximum: 1_000_000 });
const nested = reference<ExplainedCondition>("ExplainedCondition");

const draw = {
  space: text,
  salt: text,
  by: text,
  unit: optionalText,
  point: Type.Optional(Type.Integer({ minimum: 0, maximum: 999_999 })),
  in: Type.Array(Type.Tuple([ppm, ppm])),
  holds,
};

const flagTest = { flag: text, variants: Type.Array(text), served: optionalText, holds };

/** It refers to itself under the id `ExplainedCondition`, so a validator needs it among its references. */
export const ExplainedConditionSchema: Schema<ExplainedCondition> = Type.Unsafe<ExplainedCondition>(
  Type.Union(
    [
      Type.Object({ kind: oneOf(["all", "any", "not"] as const), conditions: Type.Array(nested), holds }, closed),
      Type.Object({ kind: Type.Literal("segment"), segment: text, condition: Type.Optional(nested), holds }, closed),
      Type.Object({ kind: Type.Literal("draw"), ...draw }, closed),
      Type.Object({ kind: Type.Literal("flag"), ...flagTest }, closed),
      Type.Object(
        {
          kind: Type.Literal("test"),
          attribute: text,
          op: text,
          value: JsonSchema,
          seen: Type.Optional(Type.Unknown({ description: "What the context holds there; absent when it is missing" })),
          holds,
        },
        closed,
      ),
    ],
    { $id: "ExplainedCondition" },
  ),
);

const codes = Object.keys(ERRORS) as ErrorCode[];

const DefectSchema: Schema<Defect> = Type.Object(
  {
    code: oneOf(codes),
    field: text,
    received: Type.Optional(JsonSchema),
    allowed: Type.Optional(JsonSchema),
    reason: optionalText,
    cycle: optionalText,
    expected: optionalText,
  },
  closed,
);

const ExplainedServeSchema: Schema<ExplainedServe> = Type.Unsafe<ExplainedServe>(
  Type.Object(
    {
      variant: optionalText,
      parts: Type.Optional(
        Type.Array(Type.Object({ variant: text, draws: Type.Array(Type.Object(draw, closed)), holds }, closed)),
      ),
    },
    closed,
  ),
);

const serve = Type.Optional(ExplainedServeSchema);

const StepSchema: Schema<ExplainedStep> = Type.Unsafe<ExplainedStep>(
  Type.Union([
    Type.Object({ step: Type.Literal("unknown") }, closed),
    Type.Object({ step: Type.Literal("malformed"), defect: DefectSchema }, closed),
    Type.Object({ step: Type.Literal("disabled"), off: optionalText }, closed),
    Type.Object({ step: Type.Literal("prerequisite"), asks: Type.Object(flagTest, closed), off: optionalText }, closed),
    Type.Object(
      { step: Type.Literal("rule"), id: text, name: optionalText, when: Type.Optional(nested), matched: Type.Boolean(), serve },
      closed,
    ),
    Type.Object({ step: Type.Literal("fallthrough"), serve }, closed),
  ]),
);

const ResultSchema: Schema<ExplainedResult> = Type.Object(
  {
    value: Type.Optional(JsonSchema),
    variant: optionalText,
    reason: EvaluationReasonSchema,
    ruleId: optionalText,
    errorCode: Type.Optional(EvaluationErrorCodeSchema),
  },
  closed,
);

export const ExplanationSchema: Schema<Explanation> = Type.Object(
  {
    flag: text,
    project: text,
    environment: text,
    revision: Type.Integer({ minimum: 0 }),
    result: ResultSchema,
    steps: Type.Array(StepSchema),
    lines: Type.Array(text, { description: "The steps in words" }),
  },
  closed,
);
