/* A batch as it came from the wire: its head believed or refused whole, each event believed or rejected alone. */
import type { ArmLedger, EvaluationCount, Exposure, Json, MetricEvent, RejectedEvent } from "@belay/protocol";
import {
  ArmLedgerSchema,
  EvaluationCountSchema,
  type EventEnvelope,
  EventEnvelopeSchema,
  ExposureSchema,
  MetricEventSchema,
} from "@belay/protocol/schemas";
import type { TSchema } from "@sinclair/typebox";
import type { ProblemError } from "../http/problem.ts";
import { compileValidator } from "../http/validation.ts";
import type { BatchEvents } from "../store/events/index.ts";
import { isExposure, isMetricEvent, jsonText } from "./event-check.ts";

/** What a batch says of itself. */
export type BatchHead = Pick<EventEnvelope, "batchId" | "sentAtMs" | "sdk" | "instance">;

/** The events of a batch that are fit to be stored, and those that are not. */
export interface ReadBatch extends BatchEvents {
  readonly head: BatchHead;
  readonly rejected: readonly RejectedEvent[];
}

/** @throws ProblemError when the head is wrong, or a list is none: then nothing of the batch can be believed. */
export function readBatch(body: unknown): ReadBatch {
  const { exposures, metrics, counts, ledger, batchId, sentAtMs, sdk, instance } = readEnvelope(body);
  const rejected: RejectedEvent[] = [];
  const exposed = sift(EXPOSURES, exposures, rejected);
  const measured = sift(METRICS, metrics, rejected);
  return {
    head: { batchId, sentAtMs, sdk, instance },
    exposures: exposed.events,
    attributes: exposed.texts,
    metrics: measured.events,
    properties: measured.texts,
    counts: sift(COUNTS, counts, rejected).events,
    ledger: sift(LEDGER, ledger, rejected).events,
    rejected,
  };
}

/** How the events of one list are told fit from unfit. */
interface Sieve<T> {
  readonly list: RejectedEvent["list"];
  readonly isFit: (event: unknown) => event is T;
  /** What the schema has against an event that is not fit. */
  readonly explain: Explain;
  /** The event's free-form object, and its name. */
  readonly extra?: (event: T) => { readonly [name: string]: Json } | undefined;
  readonly extraName?: string;
}

const EXPOSURES: Sieve<Exposure> = {
  list: "exposures",
  isFit: (event): event is Exposure => isExposure(event) && hasOneSubject(event),
  explain: explainerOf(ExposureSchema),
  extra: (exposure) => exposure.attributes,
  extraName: "attributes",
};

const METRICS: Sieve<MetricEvent> = {
  list: "metrics",
  isFit: isMetricEvent,
  explain: explainerOf(MetricEventSchema),
  extra: (metric) => metric.properties,
  extraName: "properties",
};

const COUNTS: Sieve<EvaluationCount> = { list: "counts", ...bySchema<EvaluationCount>(EvaluationCountSchema) };

const LEDGER: Sieve<ArmLedger> = { list: "ledger", ...bySchema<ArmLedger>(ArmLedgerSchema) };

/** The events that are fit, each with the JSON text of its object at the same place; the others are noted by index. */
function sift<T>(
  sieve: Sieve<T>,
  received: readonly unknown[],
  rejected: RejectedEvent[],
): { events: T[]; texts: (string | undefined)[] } {
  const events: T[] = [];
  const texts: (string | undefined)[] = [];
  const { list, isFit, explain, extra, extraName = "" } = sieve;
  for (const [index, event] of received.entries()) {
    if (!isFit(event)) {
      rejected.push({ list, index, ...(explain(event) ?? NOT_ONE_SUBJECT) });
      continue;
    }
    const object = extra?.(event);
    const text = object && jsonText(object);
    if (object !== undefined && text === undefined) {
      rejected.push({ list, index, code: "limit_exceeded", field: extraName });
      continue;
    }
    events.push(event);
    texts.push(text);
  }
  return { events, texts };
}

/** An exposure belongs to an experiment or to a release. No schema says so: its refusals would name no field. */
function hasOneSubject({ experiment, release }: { readonly experiment?: string; readonly release?: string }): boolean {
  return (experiment === undefined) !== (release === undefined);
}

type Fault = Pick<RejectedEvent, "code" | "field">;
type Explain = (event: unknown) => Fault | undefined;

const NOT_ONE_SUBJECT: Fault = { code: "invalid_field", field: "experiment" };

function explainerOf(schema: TSchema): Explain {
  const check = validatorOf(schema);
  return (event) => {
    const problem = check(event);
    return problem && { code: problem.code, field: String(problem.data.field ?? "") };
  };
}

function bySchema<T>(schema: TSchema): Pick<Sieve<T>, "isFit" | "explain"> {
  const explain = explainerOf(schema);
  return { explain, isFit: (event): event is T => explain(event) === undefined };
}

const envelopeProblem = validatorOf(EventEnvelopeSchema);

type Lists = "exposures" | "metrics" | "counts" | "ledger";

function readEnvelope(body: unknown): BatchHead & Required<Pick<EventEnvelope, Lists>> {
  const problem = envelopeProblem(body);
  if (problem !== undefined) throw problem;
  return { exposures: [], metrics: [], counts: [], ledger: [], ...(body as EventEnvelope) };
}

function validatorOf(schema: TSchema): (value: unknown) => ProblemError | undefined {
  const validate = compileValidator({ schema, method: "POST", url: "/sdk/v1/events", httpPart: "body" });
  return (value) => (validate(value) as { readonly error?: ProblemError }).error;
}
