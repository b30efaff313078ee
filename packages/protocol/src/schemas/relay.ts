import { Type } from "@sinclair/typebox";
import { type DuplicateTally, RELAYS_IN_A_ROW_MAX, type RelayBrief, type RelayedEvents, type RelayedReceipts } from "../relay.ts";
import { SdkKeyKindSchema } from "./api.ts";
import { EventBatchSchema } from "./events.ts";
import { closed } from "./fields.ts";
import { KeySchema } from "./flag.ts";
import type { Schema } from "./schema.ts";

const path: Schema<readonly string[]> = Type.Array(Type.String({ pattern: "^[A-Za-z0-9._-]{1,64}$" }), {
  maxItems: RELAYS_IN_A_ROW_MAX,
});
const hash: Schema<string> = Type.String({ pattern: "^[0-9a-f]{64}$", description: "SHA-256 of the secret, in hex" });
const name: Schema<string> = Type.String({ minLength: 1, maxLength: 128 });

export const RelayBriefSchema: Schema<RelayBrief> = Type.Object(
  {
    project: KeySchema,
    environment: KeySchema,
    path,
    keys: Type.Array(
      Type.Object(
        {
          id: Type.String(),
          kind: SdkKeyKindSchema,
          hash,
          previous: Type.Optional(Type.Object({ hash, until: Type.Integer() }, closed)),
        },
        closed,
      ),
    ),
    clientFlags: Type.Array(KeySchema),
  },
  { ...closed, description: "Whom a relay lets in, and which flags it may show to pages" },
);

const DuplicateTallySchema: Schema<DuplicateTally> = Type.Object(
  {
    experiment: Type.Optional(KeySchema),
    release: Type.Optional(KeySchema),
    variant: name,
    count: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }),
  },
  closed,
);

/** Batches at once; a relay sends fewer where they are large. */
const RELAYED_BATCHES_MAX = 1_000;

const listOf = <T>(batch: Schema<T>): Schema<{ readonly batches: readonly RelayedOf<T>[] }> =>
  Type.Object(
    {
      batches: Type.Array(
        Type.Object({ batch, duplicates: Type.Optional(Type.Array(DuplicateTallySchema, { maxItems: 10_000 })) }, closed),
        { minItems: 1, maxItems: RELAYED_BATCHES_MAX },
      ),
    },
    closed,
  );

interface RelayedOf<T> {
  readonly batch: T;
  readonly duplicates?: readonly DuplicateTally[];
}

/** Batches of a relay, for readers. */
export const RelayedEventsSchema: Schema<RelayedEvents> = listOf(EventBatchSchema);

/** What must be right before the batches are looked at, each as if its instance had sent it. */
export const RelayedEnvelopeSchema: Schema<{ readonly batches: readonly RelayedOf<unknown>[] }> = listOf(Type.Unknown());

export const RelayedReceiptsSchema: Schema<RelayedReceipts> = Type.Object(
  {
    receipts: Type.Array(
      Type.Object(
        {
          instance: Type.String({ minLength: 1, maxLength: 64 }),
          sdk: Type.String({ minLength: 1, maxLength: 64 }),
          revision: Type.Integer({ minimum: 0 }),
          via: path,
        },
        closed,
      ),
      { maxItems: 10_000 },
    ),
    usedKeys: Type.Optional(Type.Array(Type.String({ pattern: "^[a-z2-7]{12}$" }), { maxItems: 10_000 })),
  },
  closed,
);
