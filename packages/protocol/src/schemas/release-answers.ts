import { Type } from "@sinclair/typebox";
import type { GuardrailState } from "../release.ts";
import { oneOf } from "./flag.ts";
import type { Schema } from "./schema.ts";

/** What the doors of a release answer, closed: see `answers.ts`. */
const closed = { additionalProperties: false } as const;
const time = Type.String({ description: "RFC 3339, in UTC" });

const GuardrailStateSchema: Schema<GuardrailState> = Type.Object(
  {
    metric: Type.String(),
    verdict: oneOf<GuardrailState["verdict"]>(["quiet", "pause", "rollback"]),
    logEvidence: Type.Number({ description: "ln of the evidence of harm" }),
    isNonInferior: Type.Optional(Type.Boolean()),
    lastEventAt: Type.Optional(time),
  },
  closed,
);

/** A list that is whole: no page follows. */
export const GuardrailStatesSchema: Schema<{ readonly items: readonly GuardrailState[] }> = Type.Object(
  { items: Type.Array(GuardrailStateSchema) },
  closed,
);
