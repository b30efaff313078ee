import type {
  BundledFlag,
  BundledSegment,
  BundledTargeting,
  FlagKey,
  ImportDraft,
  ImportPlan,
  ImportRequest,
  ImportResult,
  Json,
  PlannedChange,
  SegmentKey,
} from "@belay/protocol";
import { asJson, type Decision, isSame, type Refusal, refuse } from "../control/decision.ts";
import { planHash } from "../control/plan-hash.ts";
import { allStreams, environmentStream, projectStream } from "../control/streams.ts";
import { armMoves, refuseMoves } from "../flags/arms.ts";
import { firstTargeting, seenBySdks } from "../flags/domain.ts";
import { stampEpochs, withoutEpochs } from "../flags/epochs.ts";
import { reservedRuleFault } from "../flags/rollout.ts";
import { normalise } from "../flags/targeting.ts";
import type { EnvironmentState, FlagDocument, ProjectState } from "../state/workspace.ts";
import type { DocumentWrite } from "../store/changes/index.ts";
import { bundledFlag } from "./export.ts";
import { experimentWrites, metricWrites, spaceWrites } from "./import-study.ts";

/**
 * Importing: the definitions a bundle names are written, those it does not name stay. One edit, so all or nothing; salts
 * come along with flags that are new, and a flag that is there under another salt is refused. Pure.
 */

/** What an import writes: for people (`change`) and for the log. */
export interface Write {
  readonly change: PlannedChange;
  readonly document: DocumentWrite;
  /** SDKs of every environment see it, not only those of its own. */
  readonly isSeenEverywhere: boolean;
}

/** What an import would change. */
export function planImport(project: ProjectState, request: ImportRequest, createdAt: string): ImportPlan | Refusal {
  const writes = writesOf(project, request, createdAt);
  return "code" in writes ? writes : planOf(project, writes);
}

/** Makes an import, if it still is the one that was planned. */
export function importBundle(project: ProjectState, draft: ImportDraft, createdAt: string): Decision<ImportResult> {
  const writes = writesOf(project, draft, createdAt);
  if ("code" in writes) return writes;
  const plan = planOf(project, writes);
  if (plan.plan !== draft.plan) return refuse("plan_changed", { field: "plan", received: draft.plan });
  if (writes.length === 0)
    return { kind: "unchanged", answer: { ...plan, revision: project.revision }, revision: project.revision };
  const isSeenEverywhere = writes.some((write) => write.isSeenEverywhere);
  const touched = new Set(writes.map(({ document }) => document.environment));
  const environments = [...project.environments.values()].filter(({ key }) => touched.has(key));
  const revision = project.revision + 1;
  return {
    kind: "edit",
    action: "project.import",
    stream: { project: project.key },
    target: { kind: "project", key: project.key },
    raises: isSeenEverywhere
      ? allStreams(project)
      : [projectStream(project), ...environments.map((environment) => environmentStream(project, environment))],
    documents: writes.map(({ document }) => document),
    before: asJson(plan.changes.flatMap(({ after: _, ...change }) => (change.before === undefined ? [] : [change]))),
    after: asJson(plan.changes.map(({ before: _, ...change }) => change)),
    answer: { ...plan, revision },
    revision,
  };
}

function planOf(project: ProjectState, writes: readonly Write[]): ImportPlan {
  const changes = writes.map(({ change }) => change);
  return { project: project.key, plan: planHash([project.key, asJson(changes)]), changes };
}

function writesOf(project: ProjectState, request: ImportRequest, createdAt: string): readonly Write[] | Refusal {
  const { bundle, environments: names = Object.keys(bundle.environments) } = request;
  const fault = environmentFault(project, request, names);
  if (fault !== undefined) return fault;
  const segments = Object.entries(bundle.segments).map(([key, segment]) => segmentWrite(project, key, segment, createdAt));
  const flags: Write[] = [];
  for (const [key, flag] of Object.entries(bundle.flags)) {
    const write = flagWrite(project, key, flag, createdAt);
    if (write !== undefined && "code" in write) return write;
    if (write !== undefined) flags.push(write);
  }
  const spaces = spaceWrites(project, request, createdAt);
  if ("code" in spaces) return spaces;
  const shared = [...spaces, ...segments, ...flags].filter((write) => write !== undefined);
  const left = [...project.environments.keys()].filter((name) => !names.includes(name));
  const reaching = shared.find(({ change, isSeenEverywhere }) => isSeenEverywhere && change.before !== undefined);
  if (reaching !== undefined && left.length > 0) {
    return refuse("shared_definition", { field: "environments", key: reaching.change.key, environments: left.join(", ") });
  }
  const targetings = targetingWrites(project, request, names);
  if ("code" in targetings) return targetings;
  const study = [...metricWrites(project, request, createdAt), ...experimentWrites(project, request, names, createdAt)];
  return [...projectWrites(project, request), ...shared, ...targetings, ...study];
}

function environmentFault(project: ProjectState, { bundle }: ImportRequest, names: readonly string[]): Refusal | undefined {
  for (const name of names) {
    const field = `environments.${name}`;
    const allowed = [...project.environments.keys()];
    if (!project.environments.has(name)) return refuse("environment_not_found", { field, key: name, allowed });
    if (!Object.hasOwn(bundle.environments, name)) {
      return refuse("invalid_field", { field, received: name, reason: "the bundle does not hold this environment" });
    }
  }
  return undefined;
}

/** What is private in the bundle's project is private here too; nothing becomes public by an import. */
function projectWrites(project: ProjectState, { bundle }: ImportRequest): Write[] {
  const { body } = project.document;
  const added = bundle.project.privateAttributes.filter((path) => !body.privateAttributes.includes(path));
  if (added.length === 0) return [];
  const after = asJson({ ...body, privateAttributes: [...body.privateAttributes, ...added] });
  const { key } = project;
  return [
    {
      change: { kind: "project", key, before: asJson(body), after },
      document: { kind: "project", project: key, key, body: after },
      isSeenEverywhere: false,
    },
  ];
}

function segmentWrite(
  project: ProjectState,
  key: SegmentKey,
  { description, when }: BundledSegment,
  createdAt: string,
): Write | undefined {
  const held = project.segments.get(key)?.body;
  const after = { createdAt, ...held, description, when };
  if (held !== undefined && isSame(after, held)) return undefined;
  const { createdAt: _, ...shown } = after;
  return {
    change: {
      kind: "segment",
      key,
      ...beforeOf(held && { description: held.description, when: held.when }),
      after: asJson(shown),
    },
    document: { kind: "segment", project: project.key, key, body: asJson(after) },
    isSeenEverywhere: held === undefined || !isSame(held.when, when),
  };
}

function flagWrite(project: ProjectState, key: FlagKey, flag: BundledFlag, createdAt: string): Write | Refusal | undefined {
  const held = project.flags.get(key)?.body;
  const field = `flags.${key}`;
  if (held !== undefined && held.type !== flag.type) {
    const reason = `the flag is of type ${held.type} here, and a type never changes`;
    return refuse("invalid_field", { field: `${field}.type`, received: flag.type, reason });
  }
  if (held !== undefined && !isSame(held.spaces, flag.spaces)) return refuse("salts_differ", { field: `${field}.spaces`, key });
  const after: FlagDocument = { ...flag, createdAt: held?.createdAt ?? createdAt };
  if (held !== undefined && isSame(after, held)) return undefined;
  return {
    change: { kind: "flag", key, ...beforeOf(held && bundledFlag(held)), after: asJson(flag) },
    document: { kind: "flag", project: project.key, key, body: asJson(after) },
    isSeenEverywhere: held === undefined || !isSame(seenBySdks(held), seenBySdks(after)),
  };
}

/** Targetings of the environments imported into; a flag that is new is off in all others. */
function targetingWrites(project: ProjectState, request: ImportRequest, names: readonly string[]): Write[] | Refusal {
  const writes: Write[] = [];
  for (const environment of project.environments.values()) {
    const { targetings = {} } = names.includes(environment.key) ? (request.bundle.environments[environment.key] ?? {}) : {};
    const missing = Object.keys(request.bundle.flags).filter((key) => !project.flags.has(key) && !Object.hasOwn(targetings, key));
    const first = missing.map((key) => {
      const { type, variants } = request.bundle.flags[key] as BundledFlag;
      return [key, firstTargeting(type, variants)] as const;
    });
    for (const [key, targeting] of [...Object.entries(targetings), ...first]) {
      const write = targetingWrite(project, environment, key, targeting, request);
      if (write !== undefined && "code" in write) return write;
      if (write !== undefined) writes.push(write);
    }
  }
  return writes;
}

function targetingWrite(
  project: ProjectState,
  environment: EnvironmentState,
  key: FlagKey,
  targeting: BundledTargeting,
  { bundle, newEpoch = false }: ImportRequest,
): Write | Refusal | undefined {
  const field = `environments.${environment.key}.targetings.${key}`;
  const within = ({ code, data }: Refusal): Refusal =>
    refuse(code, { ...data, field: data.field ? `${field}.${data.field}` : field });
  const held = environment.targetings.get(key);
  const flag = Object.hasOwn(bundle.flags, key) ? bundle.flags[key] : project.flags.get(key)?.body;
  if (flag === undefined) return refuse("unknown_flag", { field, received: key });
  const wanted = normalise(targeting, Object.keys(flag.variants));
  if ("code" in wanted) return within(wanted);
  const reserved = reservedRuleFault(wanted.rules);
  if (reserved !== undefined) return within(refuse("invalid_field", reserved));
  const document = project.flags.get(key)?.body;
  const { moving, opened } =
    held === undefined || document === undefined
      ? { moving: [], opened: [] }
      : armMoves({ environment, flag: key }, { flag: document, targeting: held }, wanted);
  if (moving.length > 0 && !newEpoch) return refuseMoves(moving);
  const after = stampEpochs(held?.body, wanted, environment.revision + 1, opened);
  if (held !== undefined && isSame(after, held.body)) return undefined;
  return {
    change: {
      kind: "targeting",
      key,
      environment: environment.key,
      ...beforeOf(held?.body),
      after: asJson(withoutEpochs(wanted)),
    },
    document: { kind: "targeting", project: project.key, environment: environment.key, key, body: asJson(after) },
    isSeenEverywhere: false,
  };
}

function beforeOf(body: object | undefined): { readonly before?: Json } {
  return body === undefined ? {} : { before: asJson(body) };
}
