import type {
  ChangeRequest,
  CodePlaces,
  Condition,
  EpochMs,
  Experiment,
  ExperimentKey,
  Flag,
  FlagKey,
  FreezeWindow,
  Incident,
  Look,
  MetricDefinition,
  MetricKey,
  Ppm,
  PredictionOutcome,
  QualityAlarm,
  Release,
  ReleaseTemplate,
  Revision,
  Role,
  SdkKeyKind,
  SegmentKey,
  Space,
  StaleReason,
  Targeting,
  WallTime,
  WebhookFormat,
} from "@belay/protocol";
import type { LiveSnapshot } from "./snapshots.ts";

/**
 * The live state, as the documents of the change log add up to it. Immutable: a commit makes the next workspace, which
 * shares with the one before it all that did not change.
 */
export interface Workspace {
  readonly revision: Revision;
  readonly projects: ReadonlyMap<string, ProjectState>;
  readonly tokens: ReadonlyMap<string, Held<TokenDocument>>;
  readonly sessions: ReadonlyMap<string, Held<SessionDocument>>;
  /** SDK keys of all projects by their id, which is unique everywhere: one look-up finds the caller. */
  readonly sdkKeys: ReadonlyMap<string, PlacedSdkKey>;
  /** Triggers of all releases by their id, which is unique everywhere. */
  readonly triggers: ReadonlyMap<string, PlacedTrigger>;
}

/** A document with the revision of its stream at which it was last written: the ETag of what it describes. */
export interface Held<T> {
  readonly body: T;
  readonly revision: Revision;
}

export interface ProjectState {
  readonly key: string;
  readonly revision: Revision;
  readonly document: Held<ProjectDocument>;
  readonly flags: ReadonlyMap<FlagKey, Held<FlagDocument>>;
  readonly segments: ReadonlyMap<SegmentKey, Held<SegmentDocument>>;
  readonly environments: ReadonlyMap<string, EnvironmentState>;
  readonly metrics: ReadonlyMap<MetricKey, Held<MetricDocument>>;
  readonly experiments: ReadonlyMap<ExperimentKey, Held<ExperimentDocument>>;
  /** By experiment. */
  readonly looks: ReadonlyMap<ExperimentKey, Held<LooksDocument>>;
  /** What came of the predictions of releases that are over, by environment and release with a slash between. */
  readonly outcomes: ReadonlyMap<string, Held<OutcomesDocument>>;
  readonly incidents: ReadonlyMap<string, Held<IncidentDocument>>;
  /** By repository. */
  readonly codePlaces: ReadonlyMap<string, Held<CodePlacesDocument>>;
  readonly layers: ReadonlyMap<string, Held<LayerDocument>>;
  readonly holdouts: ReadonlyMap<string, Held<HoldoutDocument>>;
  readonly webhooks: ReadonlyMap<string, Held<WebhookDocument>>;
  /** By flag: those that are stale. */
  readonly stale: ReadonlyMap<FlagKey, Held<StaleDocument>>;
  /** Change requests of all environments, by id. */
  readonly requests: ReadonlyMap<string, Held<RequestDocument>>;
  readonly releaseTemplates: ReadonlyMap<string, Held<ReleaseTemplateDocument>>;
  /** By id. The one that is not retired signs. */
  readonly signingKeys: ReadonlyMap<string, Held<SigningKeyDocument>>;
  /** Absent: it never was frozen. */
  readonly freeze?: Held<FreezeDocument>;
}

export interface EnvironmentState {
  readonly key: string;
  readonly revision: Revision;
  readonly document: Held<EnvironmentDocument>;
  /** One for every flag of the project, archived ones included. */
  readonly targetings: ReadonlyMap<FlagKey, Held<Targeting>>;
  readonly releases: ReadonlyMap<string, Held<ReleaseDocument>>;
  /** What servers' SDKs hold at this revision. */
  readonly snapshot: LiveSnapshot;
  /** Keys of its live flags by what they name themselves: see `state/users.ts`. */
  readonly naming: ReadonlyMap<string, ReadonlySet<FlagKey>>;
}

/** A release without what its place says. */
export type ReleaseDocument = Omit<Release, "project" | "environment" | "key" | "revision">;

/** What a scan found without what its place says. */
export type CodePlacesDocument = Omit<CodePlaces, "project" | "repository" | "revision">;

export interface StaleDocument {
  readonly reasons: readonly StaleReason[];
}

/** A change request without what its place says. */
export interface RequestDocument extends Omit<ChangeRequest, "id" | "project" | "schedule" | "revision"> {
  readonly schedule?: WallTime;
}

/** Crisis mode of a project. */
export interface FreezeDocument {
  readonly windows: readonly FreezeWindow[];
  /** Whoever entered a freeze may not leave it alone. */
  readonly secondPerson?: boolean;
}

/** Ladders that a project uses again. */
export type ReleaseTemplateDocument = Omit<ReleaseTemplate, "project" | "key" | "revision">;

/** What the records of a project are signed with. */
export interface SigningKeyDocument {
  /** PKCS 8, PEM. Unlike an SDK key's secret it must be kept to be used; no view and no audit row holds it. Absent once retired. */
  readonly privateKey?: string;
  /** SubjectPublicKeyInfo, PEM. */
  readonly publicKey: string;
  readonly createdAt: string;
  readonly retiredAt?: string;
}

/** An address for alerts from outside that trip one guardrail of one release. */
export interface TriggerDocument {
  readonly release: string;
  readonly guardrail: string;
  /** What callers sign with. Unlike a key it must be kept to be used; no view and no audit row holds it. */
  readonly secret: string;
  readonly createdAt: string;
}

export interface PlacedTrigger {
  readonly id: string;
  readonly project: string;
  readonly environment: string;
  readonly document: TriggerDocument;
}

export interface ProjectDocument {
  readonly name: string;
  readonly privateAttributes: readonly string[];
  /** Days that events are kept; absent: the default of `retention/domain.ts`. */
  readonly retentionDays?: number;
  /** After how many days flags count as stale; absent: the default of `flags/lifecycle.ts`. */
  readonly stale?: { readonly fullDays: number; readonly unseenDays: number };
  readonly createdAt: string;
}

export interface EnvironmentDocument {
  readonly name: string;
  /** People other than its author whom an edit that may raise exposure needs; absent: none. */
  readonly approvalsRequired?: number;
  readonly createdAt: string;
}

export type FlagDocument = Omit<Flag, "project" | "key" | "stale" | "revision">;

/** `share` is the line a rollout climbs, `split` the one its variants divide. */
export type FlagSpaces = Flag["spaces"];

export interface SegmentDocument {
  readonly description: string;
  readonly when: Condition;
  readonly createdAt: string;
}

export interface MetricDocument extends MetricDefinition {
  readonly version: number;
  readonly archived: boolean;
  readonly createdAt: string;
}

export type ExperimentDocument = Omit<Experiment, "project" | "key" | "revision">;

/** The look ledger of one experiment, in the order of time. */
export interface LooksDocument {
  readonly looks: readonly Look[];
  /** The largest evidence of a sample ratio mismatch at any look: ln of the Bayes factor. */
  readonly srmLogEMax?: number;
  /** What keeps its results from being trusted, as its alert route was told; absent while nothing does. */
  readonly alarm?: QualityAlarm;
}

/** What came of one release's predictions. */
export interface OutcomesDocument {
  /** The end they are of: a release that was done may be taken back later, and is over anew. */
  readonly endedAt: string;
  /** The moment of the log they are taken from. */
  readonly at: string;
  readonly outcomes: readonly PredictionOutcome[];
}

export type IncidentDocument = Omit<Incident, "project" | "key" | "revision">;

/** A space that experiments share. */
export interface LayerDocument {
  readonly description: string;
  readonly space: Space;
  readonly createdAt: string;
}

/** Units kept out of new treatments: `[0, share)` of a space of its own. */
export interface HoldoutDocument {
  readonly description: string;
  readonly space: Space;
  readonly share: Ppm;
  readonly createdAt: string;
  readonly endedAt?: string;
}

/** A secret is never kept: only its SHA-256, in hex. */
export interface SdkKeyDocument {
  readonly environment: string;
  readonly kind: SdkKeyKind;
  readonly name: string;
  readonly hash: string;
  /** The secret before the last rotation. */
  readonly previous?: PreviousSecret;
  readonly createdAt: string;
  readonly revoked: boolean;
}

/** What a secret was before its rotation, which works for a while beside the one of now. */
export interface PreviousSecret {
  readonly hash: string;
  readonly until: EpochMs;
}

export interface PlacedSdkKey {
  readonly id: string;
  readonly project: string;
  readonly document: SdkKeyDocument;
}

export interface TokenDocument {
  readonly name: string;
  readonly role: Role;
  readonly projects?: readonly string[];
  readonly environments?: readonly string[];
  /** Absent: no secret opens it. */
  readonly hash?: string;
  /** The secret before the last rotation. */
  readonly previous?: PreviousSecret;
  /** Whose people it stands for one of: the OIDC provider that signs them in. */
  readonly issuer?: string;
  readonly createdAt: string;
  readonly expiresAt?: string;
  readonly revoked: boolean;
}

/** A browser that signed in. */
export interface SessionDocument {
  /** Id of the token it stands for. */
  readonly token: string;
  /** SHA-256 of the cookie's secret, in hex. */
  readonly hash: string;
  /** What the cookie's time of last use is signed with. */
  readonly seal: string;
  readonly startedAtMs: EpochMs;
  readonly endsAtMs: EpochMs;
}

export interface WebhookDocument {
  readonly name: string;
  readonly url: string;
  readonly types: readonly string[];
  readonly environments: readonly string[];
  readonly format: WebhookFormat;
  readonly enabled: boolean;
  /** What signs messages, the newest first. Unlike a key it must be kept to be used; no view and no audit row holds it. */
  readonly secrets: readonly SigningSecret[];
  readonly createdAt: string;
}

export interface SigningSecret {
  readonly secret: string;
  /** Messages are no longer signed with it from then on; absent: it is the newest. */
  readonly until?: EpochMs;
}

/** What the documents of the change log hold, by kind. */
export interface Documents {
  readonly project: ProjectDocument;
  readonly environment: EnvironmentDocument;
  readonly flag: FlagDocument;
  readonly segment: SegmentDocument;
  readonly metric: MetricDocument;
  readonly experiment: ExperimentDocument;
  readonly looks: LooksDocument;
  readonly outcomes: OutcomesDocument;
  readonly incident: IncidentDocument;
  readonly "code-places": CodePlacesDocument;
  readonly layer: LayerDocument;
  readonly holdout: HoldoutDocument;
  readonly targeting: Targeting;
  readonly "sdk-key": SdkKeyDocument;
  readonly token: TokenDocument;
  readonly session: SessionDocument;
  readonly webhook: WebhookDocument;
  readonly release: ReleaseDocument;
  readonly freeze: FreezeDocument;
  readonly request: RequestDocument;
  readonly stale: StaleDocument;
  readonly trigger: TriggerDocument;
  readonly "release-template": ReleaseTemplateDocument;
  readonly "signing-key": SigningKeyDocument;
}

export type DocumentKind = keyof Documents;
