/* What a request can ask for, by name. Each decides with the rules that its own route decides with. */
import type {
  BulkDraft,
  EnabledDraft,
  EpochMs,
  FlagEdit,
  ImportRequest,
  Json,
  PromotionDraft,
  RequestOperation,
  ReshuffleDraft,
  RestoreDraft,
  Role,
  RolloutDraft,
  SegmentEdit,
  TargetingDraft,
} from "@belay/protocol";
import {
  bulkDraftSchema,
  EnabledDraftSchema,
  FlagEditSchema,
  ImportRequestSchema,
  KeySchema,
  ReasonSchema,
  ReshuffleDraftSchema,
  RestoreDraftSchema,
  RolloutDraftSchema,
  type Schema,
  SegmentEditSchema,
  TargetingDraftSchema,
} from "@belay/protocol/schemas";
import { Type } from "@sinclair/typebox";
import { importBundle, planImport } from "../bundles/import.ts";
import { type Decision, refuse } from "../control/decision.ts";
import { archiveFlags, switchFlags } from "../flags/bulk.ts";
import { editFlag } from "../flags/domain.ts";
import { planPromotion, promoteFlag } from "../flags/promotion.ts";
import { reshuffleFlag } from "../flags/reshuffle.ts";
import { putTargeting, setEnabled, setRollout } from "../flags/targeting.ts";
import { restoreEnvironment } from "../history/domain.ts";
import type { History, Moment, Past } from "../history/history.ts";
import { environmentOf, projectOf } from "../http/params.ts";
import { ProblemError } from "../http/problem.ts";
import { compileValidator } from "../http/validation.ts";
import { endHoldout } from "../layers/domain.ts";
import { start } from "../releases/climb.ts";
import { editSegment } from "../segments/domain.ts";
import type { EnvironmentState, ProjectState, Workspace } from "../state/workspace.ts";

/** What a request comes to on a workspace: called whenever that is asked. */
export type Decide = (workspace: Workspace, now: EpochMs) => Decision<unknown>;

/** What a request is about. */
export interface Subject {
  readonly project: string;
  readonly environment: string;
  readonly key?: string;
  readonly body: Json;
}

export interface Operation {
  /** Role it takes to ask for it and to approve it. */
  readonly role: Role;
  /** `project`: it edits what all environments share and takes a token for all of them. */
  readonly reach: "environment" | "project";
  /** What `key` names; absent: it takes none. */
  readonly about?: "flag" | "segment" | "release" | "holdout";
  /** It sets one thing whole, so that of several the last counts. */
  readonly isWhole: boolean;
  /** @throws ProblemError that names the field of the body. */
  readonly check: (body: Json) => void;
  /** Environments that it reads besides its own. */
  readonly reads: (body: Json) => readonly string[];
  /** Reads of the past what it needs, once. @throws ProblemError when there is no such past. */
  readonly prepare: (subject: Subject, history: Pick<History, "read">) => Promise<Decide>;
}

interface Place {
  readonly project: ProjectState;
  readonly environment: EnvironmentState;
  readonly key: string;
}

interface OperationRules<B> extends Pick<Operation, "role"> {
  readonly reach?: "project";
  readonly about?: "flag" | "segment" | "release" | "holdout";
  readonly isWhole?: boolean;
  readonly body: Schema<B>;
  readonly reads?: (body: B) => readonly string[];
  /** The moment it goes back to. */
  readonly past?: (body: B) => Moment;
  readonly decide: (place: Place, body: B, now: EpochMs, past: Past | undefined) => Decision<unknown>;
}

type PromotionBody = Pick<PromotionDraft, "from" | "newEpoch" | "reason">;

const PromotionBodySchema: Schema<PromotionBody> = Type.Unsafe<PromotionBody>(
  Type.Object(
    { from: KeySchema, newEpoch: Type.Optional(Type.Boolean()), reason: ReasonSchema["properties"].reason },
    { additionalProperties: false },
  ),
);

export const OPERATIONS: Readonly<Record<RequestOperation, Operation>> = {
  rollout: operation<RolloutDraft>({
    role: "operator",
    about: "flag",
    isWhole: true,
    body: RolloutDraftSchema,
    decide: (place, body) => setRollout(flagPlace(place), body),
  }),
  targeting: operation<TargetingDraft>({
    role: "editor",
    about: "flag",
    isWhole: true,
    body: TargetingDraftSchema,
    decide: (place, body) => putTargeting(flagPlace(place), body),
  }),
  enabled: operation<EnabledDraft>({
    role: "operator",
    about: "flag",
    isWhole: true,
    body: EnabledDraftSchema,
    decide: (place, { enabled }) => setEnabled(flagPlace(place), enabled),
  }),
  switch: operation<BulkDraft<"enable" | "disable">>({
    role: "operator",
    body: bulkDraftSchema(["enable", "disable"]),
    decide: ({ project, environment }, { action, flags }) => switchFlags(project, environment, flags, action === "enable"),
  }),
  restore: operation<RestoreDraft>({
    role: "editor",
    body: RestoreDraftSchema,
    past: ({ revision }) => ({ revision }),
    decide: ({ project, environment }, body, _, past) =>
      past === undefined
        ? refuse("revision_not_found", { environment: environment.key, moment: body.revision })
        : restoreEnvironment(project, environment, past, body),
  }),
  promotion: operation<PromotionBody>({
    role: "editor",
    about: "flag",
    body: PromotionBodySchema,
    reads: ({ from }) => [from],
    decide: (place, { from, newEpoch = false }) => {
      const source = environmentOf(place.project, from);
      const planned = planPromotion(flagPlace(place), source);
      return "code" in planned ? planned : promoteFlag(flagPlace(place), source, { plan: planned.plan, newEpoch });
    },
  }),
  "release-start": operation<{ reason?: string }>({
    role: "operator",
    about: "release",
    body: ReasonSchema,
    decide: (place, _, now) => start(place, timeText(now)),
  }),
  flag: operation<FlagEdit>({
    role: "editor",
    reach: "project",
    about: "flag",
    body: FlagEditSchema,
    decide: ({ project, key }, body) => editFlag(project, key, body),
  }),
  reshuffle: operation<ReshuffleDraft>({
    role: "editor",
    reach: "project",
    about: "flag",
    body: ReshuffleDraftSchema,
    decide: ({ project, key }, body) => reshuffleFlag(project, key, body),
  }),
  archive: operation<BulkDraft<"archive" | "restore">>({
    role: "editor",
    reach: "project",
    body: bulkDraftSchema(["archive", "restore"]),
    decide: ({ project }, { action, flags }) => archiveFlags(project, flags, action === "archive"),
  }),
  segment: operation<SegmentEdit>({
    role: "editor",
    reach: "project",
    about: "segment",
    isWhole: true,
    body: SegmentEditSchema,
    decide: ({ project, key }, body) => editSegment(project, key, body),
  }),
  "holdout-end": operation<{ reason?: string }>({
    role: "editor",
    reach: "project",
    about: "holdout",
    body: ReasonSchema,
    decide: ({ project, key }, _, now) => endHoldout(project, key, timeText(now)),
  }),
  import: operation<ImportRequest>({
    role: "editor",
    reach: "project",
    body: ImportRequestSchema,
    decide: ({ project }, body, now) => {
      const planned = planImport(project, body, timeText(now));
      return "code" in planned ? planned : importBundle(project, { ...body, plan: planned.plan }, timeText(now));
    },
  }),
};

function operation<B>(rules: OperationRules<B>): Operation {
  const { role, reach = "environment", about, isWhole = false, body, reads, past, decide } = rules;
  const validate = compileValidator({ schema: body, httpPart: "body", method: "POST", url: "" });
  return {
    role,
    reach,
    ...(about === undefined ? {} : { about }),
    isWhole,
    check: (received) => {
      const { error } = validate(received) as { readonly error?: ProblemError };
      if (error === undefined) return;
      const { field = "" } = error.data;
      throw new ProblemError(error.code, { ...error.data, field: field === "" ? "body" : `body.${field}` });
    },
    reads: (received) => reads?.(received as unknown as B) ?? [],
    prepare: async ({ body: received, ...at }, history) => {
      const asked = received as unknown as B;
      const read = past === undefined ? undefined : await history.read(at, past(asked));
      return (workspace, now) => decide(placeIn(workspace, at), asked, now, read);
    },
  };
}

/** @throws ProblemError when the project or the environment is not there. */
function placeIn(workspace: Workspace, { project: projectKey, environment, key = "" }: Omit<Subject, "body">): Place {
  const project = projectOf(workspace, projectKey);
  return { project, environment: environmentOf(project, environment), key };
}

const flagPlace = ({
  project,
  environment,
  key,
}: Place): { project: ProjectState; environment: EnvironmentState; flag: string } => ({
  project,
  environment,
  flag: key,
});

const timeText = (ms: number): string => new Date(ms).toISOString();
