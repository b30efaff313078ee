import { Type } from "@sinclair/typebox";
import type { ArmLedger, BatchReceipt, EvaluationCount, EventBatch, Exposure, MetricEvent } from "../events.ts";
import { EVENT_LIMITS } from "../events.ts";
import type { Json } from "../json.ts";
import { closed } from "./fields.ts";
import { KeySchema } from "./flag.ts";
import type { Schema } from "./schema.ts";

const { nameLength, unitLength, attributesLength, attributesDepth } = EVENT_LIMITS;
const whole = (minimum: number): Schema<number> => Type.Integer({ minimum, maximum: Number.MAX_SAFE_INTEGER });
const name: Schema<string> = Type.String({ minLength: 1, maxLength: nameLength });
const unit: Schema<string> = Type.String({ minLength: 1, maxLength: unitLength });
/** Up to the end of the year 9999: later moments have no RFC 3339 text. */
const timeMs: Schema<number> = Type.Integer({ minimum: 0, maximum: 253_402_300_799_999 });
const object: Schema<{ readonly [name: string]: Json }> = Type.Unsafe<{ readonly [name: string]: Json }>(
  Type.Object(
    {},
    { description: `Any JSON object of at most ${attributesLength} characters, nested at most ${attributesDepth} deep` },
  ),
);

export const ExposureSchema: Schema<Exposure> = Type.Object(
  {
    seq: whole(1),
    timeMs,
    flag: KeySchema,
    variant: name,
    rule: Type.Optional(name),
    experiment: Type.Optional(KeySchema),
    release: Type.Optional(KeySchema),
    epoch: whole(0),
    revision: whole(0),
    unit,
    differs: Type.Optional(
      Type.Boolean({ description: "Would the unit have got another value outside its arm? Absent: not known" }),
    ),
    attributes: Type.Optional(object),
  },
  {
    ...closed,
    description: "A unit met an arm for the first time in this instance; of `experiment` and `release` exactly one is given",
  },
);

export const MetricEventSchema: Schema<MetricEvent> = Type.Object(
  { seq: whole(1), timeMs, name, unit, value: Type.Optional(Type.Number()), properties: Type.Optional(object) },
  { ...closed, description: "Something a unit did" },
);

export const EvaluationCountSchema: Schema<EvaluationCount> = Type.Object(
  { flag: KeySchema, variant: Type.Optional(name), count: whole(1) },
  { ...closed, description: "Evaluations of one flag and variant since the last report" },
);

export const ArmLedgerSchema: Schema<ArmLedger> = Type.Object(
  {
    experiment: Type.Optional(KeySchema),
    release: Type.Optional(KeySchema),
    variant: name,
    produced: whole(0),
    dropped: whole(0),
  },
  { ...closed, description: "Running totals of one arm in one instance" },
);

const head = {
  batchId: Type.String({ minLength: 1, maxLength: 64 }),
  sentAtMs: timeMs,
  sdk: Type.String({ minLength: 1, maxLength: 64 }),
  instance: Type.String({ pattern: "^[A-Za-z0-9._-]{1,64}$" }),
  sdkKey: Type.Optional(Type.String({ maxLength: 512, description: "In place of the header, under `text/plain` up to 64 KiB" })),
};

/** A batch of `POST /sdk/v1/events`. Each event is checked alone: one that is wrong is told by index and costs no other. */
export const EventBatchSchema: Schema<EventBatch> = Type.Object(
  {
    ...head,
    exposures: Type.Optional(Type.Array(ExposureSchema)),
    metrics: Type.Optional(Type.Array(MetricEventSchema)),
    counts: Type.Optional(Type.Array(EvaluationCountSchema)),
    ledger: Type.Optional(Type.Array(ArmLedgerSchema)),
  },
  closed,
);

type Lists = "exposures" | "metrics" | "counts" | "ledger";

/** A batch whose lists hold anything: what must be right before its events are looked at. */
export type EventEnvelope = Pick<EventBatch, "batchId" | "sentAtMs" | "sdk" | "instance"> & {
  readonly sdkKey?: string;
} & { readonly [List in Lists]?: readonly unknown[] };

const anything = Type.Optional(Type.Array(Type.Unknown()));

export const EventEnvelopeSchema: Schema<EventEnvelope> = Type.Object(
  { ...head, exposures: anything, metrics: anything, counts: anything, ledger: anything },
  closed,
);

export const BatchReceiptSchema: Schema<BatchReceipt> = Type.Object(
  {
    accepted: Type.Integer({ description: "Exposures and metric events taken now" }),
    duplicates: Type.Integer({ description: "Exposures and metric events that were there already" }),
    rejected: Type.Array(
      Type.Object({
        list: Type.Union([Type.Literal("exposures"), Type.Literal("metrics"), Type.Literal("counts"), Type.Literal("ledger")]),
        index: Type.Integer(),
        code: Type.String(),
        field: Type.String(),
      }),
    ),
  },
  { description: "Sent only once the accepted events are on the disk" },
);
