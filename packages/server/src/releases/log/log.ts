/**
 * Writes the log of a release as of one moment: from the change log and raw events alone, so that whoever has both can write
 * it again.
 */
import type { AttributePath, EpochMs, GuardrailRecord, Neighbour, PredictionRecord, Release, ReleaseLog } from "@belay/protocol";
import { scorePrediction } from "@belay/stats";
import type { ControlPlane } from "../../control/control-plane.ts";
import { ProblemError } from "../../http/problem.ts";
import type { GatheredLedger } from "../../ledger/gathered-ledger.ts";
import type { ProjectState, ReleaseDocument } from "../../state/workspace.ts";
import type { ChangeLog, StoredChange } from "../../store/changes/index.ts";
import { type EventQuery, type EventStore, rowsOf } from "../../store/events/index.ts";
import { heldRelease, trackedAs } from "../document.ts";
import { epochsOf } from "../gather.ts";
import { armOf, armsOf, type Placement, placementOf } from "../placement.ts";
import { placeIn } from "../service.ts";
import type { ReleaseId } from "../watchtower.ts";
import { adviceOn, type Recorded } from "./advice.ts";
import { incidentsWithin, neighboursOf, otherOf } from "./alongside.ts";
import { gateAnswers } from "./answers.ts";
import { interferenceRecords } from "./interference.ts";
import { KnownUnits } from "./known-units.ts";
import { latenciesOf } from "./latencies.ts";
import { SETTLED_MS } from "./outcomes.ts";
import { countExposed, type EventRow, inTurns, judgeGuardrail, shownTo } from "./replay.ts";
import { segmentRecords } from "./segments.ts";
import { type Told, timelineOf } from "./timeline.ts";

export interface LogSources {
  readonly control: Pick<ControlPlane, "workspace">;
  readonly log: Pick<ChangeLog, "changes">;
  readonly events: Pick<EventStore, "pull">;
  /** Where other servers keep events that `events` has not. */
  readonly gathered?: Pick<GatheredLedger, "elsewhere">;
  readonly now: () => EpochMs;
}

const PAGE = 500;

/**
 * @param asOf the moment it is of; the end and a little more when absent, or now while that is to come
 * @throws ProblemError when there is no such release, or was none at that moment
 */
export async function writeLog(sources: LogSources, id: ReleaseId, asOf?: EpochMs): Promise<ReleaseLog> {
  const place = placeIn(sources.control.workspace, id);
  const held = heldRelease(place);
  if ("code" in held) throw new ProblemError(held.code, held.data);
  const changes = await changesOf(sources.log, id, held.body, asOf ?? sources.now());
  const told = timelineOf(changes);
  const at = asOf ?? settledAt(held.body, told, sources.now());
  const last = told.versions.at(-1);
  if (last === undefined) throw new ProblemError("release_not_found", { key: id.key });
  const { body } = last;
  const { flag, variant, experiment, control, description, author, state, createdAt } = body;
  const { startedAt, endedAt, rollback, predictionHash } = body;
  const span = { from: Date.parse(startedAt ?? createdAt), to: endedAt === undefined ? at : Date.parse(endedAt) };
  const alongside = neighboursOf(place.project, id, body, { ...span, at });
  const placement = placementOf(place.project, body);
  const seen = await replay(sources.events, { id, project: place.project, body, told, placement, alongside, at });
  const nameOf = (token: string): string => sources.control.workspace.tokens.get(token)?.body.name ?? token;
  const recorded: Recorded = {
    ...{
      project: id.project,
      environment: id.environment,
      release: id.key,
      flag,
      variant,
      description,
      author,
      state,
      createdAt,
    },
    ...(experiment === undefined ? {} : { experiment }),
    ...(control === undefined ? {} : { control }),
    ...(startedAt === undefined ? {} : { startedAt }),
    ...(endedAt === undefined ? {} : { endedAt }),
    at: new Date(at).toISOString(),
    lagMs: seen.lagMs,
    notCounted: startedAt === undefined ? [] : (sources.gathered?.elsewhere(id) ?? []),
    timeline: told.moves,
    exposure: seen.exposure,
    gates: gateAnswers(told.versions, seen.guardrails, nameOf),
    guardrails: seen.guardrails,
    segments: seen.segments,
    interference: seen.interference,
    unitsShare: seen.unitsShare,
    incidents: incidentsWithin(place.project, id, { ...span, at }),
    alongside,
    ...(rollback === undefined ? {} : { rollback }),
    predictions: body.predictions.map((prediction) => scored(prediction, seen.guardrails)),
    ...(predictionHash === undefined ? {} : { predictionHash }),
    latencies: latenciesOf({ body, versions: told.versions }, seen.guardrails, at),
    lessons: body.lessons ?? [],
  };
  return { ...recorded, advice: adviceOn(recorded, body) };
}

/** What people add after the end, lessons first of all, moves the moment on; nothing else does. */
function settledAt({ endedAt }: ReleaseDocument, { versions }: Told, now: EpochMs): EpochMs {
  const changedAt = versions.at(-1)?.change.at ?? now;
  return endedAt === undefined ? now : Math.min(now, Math.max(changedAt, Date.parse(endedAt) + SETTLED_MS));
}

/** Changes of the release, and of its flag there, up to a moment. */
async function changesOf(
  log: Pick<ChangeLog, "changes">,
  { project, environment, key }: ReleaseId,
  { flag }: ReleaseDocument,
  at: EpochMs,
): Promise<StoredChange[]> {
  const found: StoredChange[] = [];
  for (const target of [
    { targetKind: "release", targetKey: key },
    { targetKind: "flag", targetKey: flag },
  ]) {
    let olderThan: number | undefined;
    for (;;) {
      const filter = { project, environment, ...target, to: at + 1, ...(olderThan === undefined ? {} : { olderThan }) };
      const page = await log.changes(filter, PAGE);
      found.push(...page);
      olderThan = page.at(-1)?.id;
      if (page.length < PAGE) break;
    }
  }
  return found;
}

type Replayed = Pick<ReleaseLog, "exposure" | "guardrails" | "segments" | "interference" | "unitsShare" | "lagMs">;

const NOTHING: Replayed = { exposure: [], guardrails: [], segments: [], interference: [], unitsShare: 1, lagMs: 0 };

interface Replaying {
  readonly id: ReleaseId;
  readonly project: ProjectState;
  readonly body: ReleaseDocument;
  readonly told: Told;
  readonly placement: Placement;
  readonly alongside: readonly Neighbour[];
  readonly at: EpochMs;
}

/** Exposures count as long as they come; guardrails judge until the end. */
async function replay(events: LogSources["events"], { id, body, told, at, ...rest }: Replaying): Promise<Replayed> {
  const { startedAt, endedAt } = body;
  if (startedAt === undefined) return NOTHING;
  let lagMs = 0;
  const rows = (query: Asked, to: EpochMs): AsyncIterable<EventRow> =>
    eventRows(
      events,
      { project: id.project, environments: [id.environment], fromMs: Date.parse(startedAt), toMs: to, ...query },
      (lag) => {
        lagMs = Math.max(lagMs, lag);
      },
    );
  const end = endedAt === undefined ? at : Math.min(at, Date.parse(endedAt));
  const { project, placement, alongside } = rest;
  const segments = segmentsOf(project, body);
  const units = new KnownUnits({ segments, guardrails: body.guardrails, placement, epochs: epochsOf(body) });
  const exposures = shownTo(rows({ kind: "exposures", ...trackedAs(id.key, body) }, at + 1), (row) => {
    if (row.receivedAt <= end) units.expose(row, armOf(body, row.variant ?? ""));
  });
  const exposure = await countExposed(exposures, {
    shares: told.shares,
    isTreated: (variant) => armOf(body, variant) > 0,
  });
  // Pairs are compared by failures: without any, nobody else's exposures are read.
  const hasFailures = body.guardrails.some(({ measure }) => measure.kind === "failures");
  const others = hasFailures ? alongside.flatMap((neighbour) => otherOf(project, id.environment, neighbour)) : [];
  for (const [index, { asked, armOf: armThere }] of others.entries()) {
    for await (const row of inTurns(rows({ kind: "exposures", ...asked }, end + 1))) {
      units.meet(row, index, armThere(row.variant ?? ""));
    }
  }
  const moving = body.guardrails.filter(({ dryRun }) => dryRun !== true).length;
  const { contrasts } = placement;
  const guardrails: GuardrailRecord[] = [];
  for (const [index, guardrail] of body.guardrails.entries()) {
    const judging = contrasts.length * (guardrail.dryRun === true ? 1 : moving);
    for (const [at, contrast] of contrasts.entries()) {
      const all = rows({ kind: "metrics", name: guardrail.measure.event }, end + 1);
      const own = at === 0 ? shownTo(all, (row) => units.hear(row, index)) : all;
      const judged = { placement, contrast, epochs: epochsOf(body), until: end, judging };
      guardrails.push(await judgeGuardrail(own, guardrail, judged));
    }
  }
  const question = { guardrails: body.guardrails, arms: armsOf(body), isRamp: body.experiment !== undefined, others };
  return {
    exposure,
    guardrails,
    segments: segmentRecords(units.units, { segments, guardrails: body.guardrails, contrasts }),
    interference: interferenceRecords(units.units, question),
    unitsShare: units.share,
    lagMs,
  };
}

/** What of the store is asked for; from the start of the release when it does not say. */
type Asked = Pick<EventQuery, "kind" | "name" | "release" | "experiment" | "fromMs">;

/** As people asked for it; else as they did of the experiment that it ramps. */
function segmentsOf({ experiments }: ProjectState, { segments, experiment }: ReleaseDocument): readonly AttributePath[] {
  return segments ?? experiments.get(experiment ?? "")?.body.segments ?? [];
}

/** Columns of an exposure and of a metric event that a log is made of. */
interface StoredRow {
  readonly unit: string;
  readonly received_at: string;
  readonly variant?: string;
  readonly value?: number | null;
  readonly properties?: NonNullable<EventRow["properties"]> | null;
  readonly attributes?: NonNullable<EventRow["attributes"]> | null;
}

async function* eventRows(
  events: LogSources["events"],
  query: EventQuery,
  onLag: (lagMs: number) => void,
): AsyncGenerator<EventRow> {
  const { pages, lagMs } = await events.pull({ ...query, format: "ndjson" });
  onLag(lagMs);
  for await (const { unit, received_at, value, variant, properties, attributes } of rowsOf<StoredRow>(pages)) {
    yield {
      unit,
      receivedAt: Date.parse(received_at),
      ...(variant === undefined ? {} : { variant }),
      ...(typeof value === "number" ? { value } : {}),
      ...(properties === undefined ? {} : { properties }),
      ...(attributes === undefined ? {} : { attributes }),
    };
  }
}

/**
 * A prediction is scored by the guardrail of the same metric: what nothing measured has no actual value. Of several treatments
 * nobody said which one it is of.
 */
function scored(prediction: Release["predictions"][number], guardrails: readonly GuardrailRecord[]): PredictionRecord {
  const [record, another] = guardrails.filter(({ metric }) => metric === prediction.metric);
  if (record === undefined || another !== undefined) {
    const reason = record === undefined ? "nothing-measured-it" : "several-treatments";
    const none = { status: "undefined", reason } as const;
    return { ...prediction, actual: none, score: none };
  }
  const { effect } = record;
  if (effect.status !== "ok") return { ...prediction, actual: effect, score: effect };
  const [low, high] = prediction.interval;
  const score = scorePrediction({ mean: prediction.mean, interval: { low, high, level: prediction.level } }, effect.value);
  return { ...prediction, actual: { status: "ok", value: effect.value }, score };
}
