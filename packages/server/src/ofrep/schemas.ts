import type { EvaluationContext, FlagKey, FlagMetadata, Json, Reason } from "@belay/protocol";
import { EvaluationReasonSchema, JsonSchema, oneOf, type Schema } from "@belay/protocol/schemas";
import { Type } from "@sinclair/typebox";
import type { OfrepErrorCode, OfrepFailure } from "./answer.ts";

/** The body of an evaluation. */
export const ContextBodySchema: Schema<{ context?: EvaluationContext }> = Type.Unsafe<{ context?: EvaluationContext }>(
  Type.Object({
    context: Type.Optional(
      Type.Object(
        { targetingKey: Type.Optional(Type.String({ description: "The unit" })) },
        { additionalProperties: true, description: "Attributes by name" },
      ),
    ),
  }),
);

export const StreamQuerySchema: Schema<{ token: string; revision?: string }> = Type.Object({
  token: Type.String({ maxLength: 128, description: "From `eventStreams` of a bulk evaluation; holds for at most an hour" }),
  revision: Type.Optional(Type.String({ maxLength: 20, description: "What the client holds" })),
});

/** One flag's answer. Without a value: use your own default. */
interface OfrepEvaluation {
  readonly key: FlagKey;
  readonly value?: Json;
  readonly reason: Reason;
  readonly variant?: string;
  /** What the flag's owner says of it, and what Belay does: `flagSetId`, `version`, `ruleId`, what is tracked for whom. */
  readonly metadata: FlagMetadata;
}

/** All flags a key may see, and where to hear of changes. */
interface OfrepBulkEvaluation {
  readonly flags: readonly (OfrepEvaluation | OfrepFailure)[];
  readonly metadata: { readonly flagSetId: string; readonly version: string };
  readonly eventStreams: readonly {
    readonly type: "sse";
    readonly endpoint: { readonly requestUri: string };
    readonly inactivityDelaySec: number;
  }[];
}

const closed = { additionalProperties: false } as const;
const text = Type.String();

export const EvaluationSchema: Schema<OfrepEvaluation> = Type.Object(
  {
    key: text,
    value: Type.Optional(JsonSchema),
    reason: EvaluationReasonSchema,
    variant: Type.Optional(text),
    metadata: Type.Record(Type.String(), Type.Union([text, Type.Number(), Type.Boolean()])),
  },
  closed,
);

const ERROR_CODES: readonly OfrepErrorCode[] = [
  "PARSE_ERROR",
  "TARGETING_KEY_MISSING",
  "INVALID_CONTEXT",
  "FLAG_NOT_FOUND",
  "GENERAL",
];

const failure = { key: text, errorCode: oneOf(ERROR_CODES), errorDetails: text };

/** A flag that could not be evaluated; what was wrong with the request itself is told beside it, as everywhere. */
export const RefusalSchema: Schema<OfrepFailure> = Type.Object(failure);

const FailureSchema: Schema<OfrepFailure> = Type.Object(failure, closed);

const EventStreamSchema: Schema<OfrepBulkEvaluation["eventStreams"][number]> = Type.Object(
  {
    type: Type.Literal("sse"),
    endpoint: Type.Object({ requestUri: text }, closed),
    inactivityDelaySec: Type.Integer({ minimum: 1 }),
  },
  closed,
);

export const BulkEvaluationSchema: Schema<OfrepBulkEvaluation> = Type.Unsafe<OfrepBulkEvaluation>(
  Type.Object(
    {
      flags: Type.Array(Type.Union([EvaluationSchema, FailureSchema])),
      metadata: Type.Object({ flagSetId: text, version: text }, closed),
      eventStreams: Type.Array(EventStreamSchema),
    },
    closed,
  ),
);
