import type { EvaluationContext } from "@belay/protocol";
import type { Schema } from "@belay/protocol/schemas";
import { Type } from "@sinclair/typebox";

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
