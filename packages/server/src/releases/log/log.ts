/**
 * Writes the log of a release as of one moment: from the change log and raw events alone, so that whoever has both can write
 * it again.
 */
import type { EpochMs, GuardrailRecord, LoggedIncident, Neighbour, PredictionRecord, Release, ReleaseLog } from "@belay/protocol";
import { scorePrediction } from "@belay/stats";
import type { ControlPlane } from "../../control/control-plane.ts";
import { ProblemError } from "../../http/problem.ts";
import type { ProjectState, ReleaseDocument } from "../../state/workspace.ts";
import type { ChangeLog, StoredChange } from "../../store/changes/index.ts";
import { type EventQuery, type EventStore, rowsOf } from "../../store/events/index.ts";
import { heldRelease, trackedAs } from "../document.ts";
import { epochsOf } from "../gather.ts";
import { armOf, type Placement, placementOf } from "../placement.ts";
import { placeIn } from "../service.ts";
import type { ReleaseId } from "../watchtower.ts";
import { adviceOn, type Recorded } from "./advice.ts";
import { gateAnswers } from "./answers.ts";
import { latenciesOf } from "./latencies.ts";
import { countExposed, type EventRow, judgeGuardrail } from "./replay.ts";
import { type Told, timelineOf } from "./timeline.ts";

export interface LogSources {
  readonly control: Pick<ControlPlane, "workspace">;
  readonly log: Pick<ChangeLog, "changes">;
  readonly events: Pick<EventStore, "pull">;
  readonly now: () => EpochMs;
}

/** Receipts and exposures that were under way are in a log that is written so long after the end. */
const SETTLED_MS = 15 * 60_000;

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
  const seen = await replay(sources.events, { id, body, told, placement: placementOf(place.project, body), at });
  const { flag, variant, experiment, control, description, author, state, createdAt } = body;
  const { startedAt, endedAt, rollback, predictionHash } = body;
  const span = { from: Date.parse(startedAt ?? createdAt), to: endedAt === undefined ? at : Date.parse(endedAt) };
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
    timeline: told.moves,
    exposure: seen.exposure,
    gates: gateAnswers(told.versions, seen.guardrails, nameOf),
    guardrails: seen.guardrails,
    incidents: incidentsWithin(place.project, id, span),
    alongside: neighboursOf(place.project, id, body, span),
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

interface Replayed extends Pick<ReleaseLog, "exposure" | "guardrails" | "lagMs"> {}

interface Replaying {
  readonly id: ReleaseId;
  readonly body: ReleaseDocument;
  readonly told: Told;
  readonly placement: Placement;
  readonly at: EpochMs;
}

/** Exposures count as long as they come; guardrails judge until the end. */
async function replay(events: LogSources["events"], { id, body, told, placement, at }: Replaying): Promise<Replayed> {
  const { startedAt, endedAt } = body;
  if (startedAt === undefined) return { exposure: [], guardrails: [], lagMs: 0 };
  let lagMs = 0;
  const rows = (query: Pick<EventQuery, "kind" | "name" | "release" | "experiment">, to: EpochMs): AsyncIterable<EventRow> =>
    eventRows(
      events,
      { project: id.project, environments: [id.environment], fromMs: Date.parse(startedAt), toMs: to, ...query },
      (lag) => {
        lagMs = Math.max(lagMs, lag);
      },
    );
  const end = endedAt === undefined ? at : Math.min(at, Date.parse(endedAt));
  const exposure = await countExposed(rows({ kind: "exposures", ...trackedAs(id.key, body) }, at + 1), {
    shares: told.shares,
    isTreated: (variant) => armOf(body, variant) > 0,
  });
  const moving = body.guardrails.filter(({ dryRun }) => dryRun !== true).length;
  const { contrasts } = placement;
  const guardrails: GuardrailRecord[] = [];
  for (const guardrail of body.guardrails) {
    const judging = contrasts.length * (guardrail.dryRun === true ? 1 : moving);
    for (const contrast of contrasts) {
      const own = rows({ kind: "metrics", name: guardrail.measure.event }, end + 1);
      const judged = { placement, contrast, epochs: epochsOf(body), until: end, judging };
      guardrails.push(await judgeGuardrail(own, guardrail, judged));
    }
  }
  return { exposure, guardrails, lagMs };
}

/** Columns of an exposure and of a metric event that a log is made of. */
interface StoredRow {
  readonly unit: string;
  readonly received_at: string;
  readonly variant?: string;
  readonly value?: number | null;
  readonly properties?: NonNullable<EventRow["properties"]> | null;
}

async function* eventRows(
  events: LogSources["events"],
  query: EventQuery,
  onLag: (lagMs: number) => void,
): AsyncGenerator<EventRow> {
  const { pages, lagMs } = await events.pull({ ...query, format: "ndjson" });
  onLag(lagMs);
  for await (const { unit, received_at, value, variant, properties } of rowsOf<StoredRow>(pages)) {
    yield {
      unit,
      receivedAt: Date.parse(received_at),
      ...(variant === undefined ? {} : { variant }),
      ...(typeof value === "number" ? { value } : {}),
      ...(properties === undefined ? {} : { properties }),
    };
  }
}

interface Stretch {
  readonly from: EpochMs;
  readonly to: EpochMs;
}

function incidentsWithin({ incidents }: ProjectState, { environment }: ReleaseId, span: Stretch): LoggedIncident[] {
  return [...incidents].flatMap(([incident, { body }]) => {
    const isThere = body.environment === undefined || body.environment === environment;
    if (!isThere || !overlaps(body, span)) return [];
    const { reason, from, to } = body;
    return [{ incident, reason, from, ...(to === undefined ? {} : { to }) }];
  });
}

/** The experiment that is ramped is none: it is what the log is of. */
function neighboursOf(
  { environments, experiments }: ProjectState,
  { environment, key }: ReleaseId,
  { experiment }: ReleaseDocument,
  span: Stretch,
): Neighbour[] {
  const live = (kind: Neighbour["kind"], name: string, from: string | undefined, to: string | undefined): Neighbour[] =>
    from === undefined || !overlaps({ from, ...(to === undefined ? {} : { to }) }, span)
      ? []
      : [{ kind, key: name, from, ...(to === undefined ? {} : { to }) }];
  const releases = [...(environments.get(environment)?.releases ?? [])].filter(([name]) => name !== key);
  const there = [...experiments].filter(([name, { body }]) => name !== experiment && body.environment === environment);
  return [
    ...releases.flatMap(([name, { body }]) => live("release", name, body.startedAt, body.endedAt)),
    ...there.flatMap(([name, { body }]) => live("experiment", name, body.startedAt, body.stoppedAt)),
  ];
}

function overlaps({ from, to }: { readonly from: string; readonly to?: string }, span: Stretch): boolean {
  return Date.parse(from) <= span.to && (to === undefined || Date.parse(to) >= span.from);
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
