import type { StoredDocument, StreamRevision } from "../store/changes/index.ts";
import { LayeredMap } from "./layered-map.ts";
import { LiveSnapshot, renderSnapshot } from "./snapshots.ts";
import { namesAfter } from "./users.ts";
import type { DocumentKind, Documents, EnvironmentState, Held, ProjectState, Workspace } from "./workspace.ts";

/** What a commit did, or all that a store holds: documents written and revisions reached. */
export interface Amendment {
  readonly streams: readonly StreamRevision[];
  readonly documents: readonly StoredDocument[];
}

export const EMPTY_WORKSPACE: Workspace = {
  revision: 0,
  projects: new Map(),
  tokens: new Map(),
  sessions: new Map(),
  sdkKeys: new Map(),
  triggers: new Map(),
};

/**
 * The workspace after an amendment. Boot is the same step, taken once from the empty workspace with all documents.
 * Documents of kinds this version does not know are passed over.
 */
export function amend(workspace: Workspace, amendment: Amendment): Workspace {
  const draft = new WorkspaceDraft(workspace);
  // Owners before what they own, whatever the order of rows.
  const documents = amendment.documents.filter(({ kind }) => Object.hasOwn(RANK, kind));
  documents.sort((a, b) => RANK[a.kind as DocumentKind] - RANK[b.kind as DocumentKind]);
  for (const document of documents) draft.put(document);
  for (const stream of amendment.streams) draft.raise(stream);
  return draft.finish();
}

const RANK: Readonly<Record<DocumentKind, number>> = {
  project: 0,
  environment: 1,
  flag: 2,
  segment: 2,
  metric: 2,
  experiment: 2,
  looks: 2,
  outcomes: 2,
  incident: 2,
  "code-places": 2,
  layer: 2,
  holdout: 2,
  freeze: 2,
  request: 2,
  stale: 2,
  "release-template": 2,
  "signing-key": 2,
  trigger: 3,
  targeting: 3,
  release: 3,
  "sdk-key": 3,
  token: 3,
  session: 3,
  webhook: 2,
};

type SharedMap =
  | "signingKeys"
  | "requests"
  | "stale"
  | "metrics"
  | "experiments"
  | "looks"
  | "outcomes"
  | "incidents"
  | "codePlaces"
  | "layers"
  | "holdouts";

/** What of an environment's snapshot must be rendered anew. */
interface Stale {
  readonly project: string;
  readonly environment: string;
  readonly flags: Set<string>;
  segments: boolean;
  spaces: boolean;
  /** Nothing of the snapshot before holds. */
  all: boolean;
}

/** A workspace being written. What is written to is copied once, when it is first written to; the base stays as it is. */
class WorkspaceDraft {
  /** One table for all drafts: a draft is made for every write. */
  static readonly #puts: Readonly<Record<DocumentKind, (draft: WorkspaceDraft, document: StoredDocument) => void>> = {
    project: (draft, document) => draft.#putProject(document),
    environment: (draft, document) => draft.#putEnvironment(document),
    flag: (draft, document) => draft.#putFlag(document),
    segment: (draft, document) => draft.#putSegment(document),
    metric: (draft, document) => draft.#putShared("metrics", document),
    experiment: (draft, document) => draft.#putShared("experiments", document),
    looks: (draft, document) => draft.#putShared("looks", document),
    outcomes: (draft, document) => draft.#putShared("outcomes", document),
    incident: (draft, document) => draft.#putShared("incidents", document),
    "code-places": (draft, document) => draft.#putShared("codePlaces", document),
    layer: (draft, document) => draft.#putSpace("layers", document),
    holdout: (draft, document) => draft.#putSpace("holdouts", document),
    targeting: (draft, document) => draft.#putTargeting(document),
    release: (draft, document) => draft.#putRelease(document),
    freeze: (draft, document) => draft.#putFreeze(document),
    request: (draft, document) => draft.#putShared("requests", document),
    stale: (draft, document) => draft.#putShared("stale", document),
    "release-template": (draft, document) => draft.#putReleaseTemplate(document),
    "signing-key": (draft, document) => draft.#putShared("signingKeys", document),
    trigger: (draft, document) => draft.#putTrigger(document),
    "sdk-key": (draft, document) => draft.#putSdkKey(document),
    token: (draft, document) => draft.#putToken(document),
    session: (draft, document) => draft.#putSession(document),
    webhook: (draft, document) => draft.#putWebhook(document),
  };

  #workspace: Workspace;
  /** Maps, projects and environments that were made here: nobody else has seen them, so they may be written to. */
  readonly #own = new Set<object>();
  readonly #stale = new Map<string, Stale>();

  constructor(base: Workspace) {
    this.#workspace = base;
  }

  put(document: StoredDocument): void {
    WorkspaceDraft.#puts[document.kind as DocumentKind](this, document);
  }

  raise({ project, environment, revision }: StreamRevision): void {
    if (project === undefined) {
      this.#workspace = { ...this.#workspace, revision };
    } else if (environment === undefined) {
      this.#editProject(project, () => ({ revision }));
    } else {
      this.#editEnvironment(project, environment, () => ({ revision }));
      this.#staleOf(project, environment);
    }
  }

  finish(): Workspace {
    for (const stale of this.#stale.values()) this.#render(stale);
    return this.#workspace;
  }

  #render(stale: Stale): void {
    const project = this.#workspace.projects.get(stale.project);
    if (project === undefined) return;
    this.#editEnvironment(stale.project, stale.environment, (environment) => {
      const { flags, segments, layers, holdouts } = project;
      const sources = { ...environment, flags, segments, layers, holdouts };
      const touched = stale.all ? undefined : stale;
      const snapshot = renderSnapshot(stale.project, sources, environment.snapshot, touched);
      return { snapshot, naming: namesAfter(environment, snapshot.flags, touched?.flags) };
    });
  }

  #putProject({ key, body, revision }: StoredDocument): void {
    if (body === undefined) return;
    const document = { body: body as unknown as Documents["project"], revision };
    const project = this.#workspace.projects.get(key) ?? newProject(key, document);
    this.#workspace = { ...this.#workspace, projects: this.#with(this.#workspace.projects, key, { ...project, document }) };
  }

  #putEnvironment({ project = "", key, body, revision }: StoredDocument): void {
    if (body === undefined) return;
    const document = { body: body as unknown as Documents["environment"], revision };
    this.#editProject(project, ({ environments }) => {
      const environment = environments.get(key) ?? newEnvironment(project, key, document);
      return { environments: this.#with(environments, key, { ...environment, document }) };
    });
    this.#staleOf(project, key).all = true;
  }

  #putFlag(document: StoredDocument): void {
    const { project = "", key } = document;
    this.#editProject(project, ({ flags }) => ({ flags: this.#with(flags, key, held<"flag">(document)) }));
    for (const stale of this.#staleOfAll(project)) stale.flags.add(key);
  }

  #putSegment(document: StoredDocument): void {
    const { project = "", key } = document;
    this.#editProject(project, ({ segments }) => ({ segments: this.#with(segments, key, held<"segment">(document)) }));
    for (const stale of this.#staleOfAll(project)) stale.segments = true;
  }

  /** A document that all environments share and no snapshot shows. */
  #putShared(name: SharedMap, document: StoredDocument): void {
    const { project = "", key } = document;
    this.#editProject(project, (state) => {
      const documents: ReadonlyMap<string, Held<Documents[DocumentKind]>> = state[name];
      return { [name]: this.#with(documents, key, held<DocumentKind>(document)) };
    });
  }

  #putSpace(name: "layers" | "holdouts", document: StoredDocument): void {
    this.#putShared(name, document);
    for (const stale of this.#staleOfAll(document.project ?? "")) stale.spaces = true;
  }

  #putTargeting(document: StoredDocument): void {
    const { project = "", environment = "", key } = document;
    this.#editEnvironment(project, environment, ({ targetings }) => ({
      targetings: this.#with(targetings, key, held<"targeting">(document)),
    }));
    this.#staleOf(project, environment).flags.add(key);
  }

  #putRelease(document: StoredDocument): void {
    const { project = "", environment = "", key } = document;
    this.#editEnvironment(project, environment, ({ releases }) => ({
      releases: this.#with(releases, key, held<"release">(document)),
    }));
  }

  #putReleaseTemplate(document: StoredDocument): void {
    const { project = "", key } = document;
    this.#editProject(project, ({ releaseTemplates }) => ({
      releaseTemplates: this.#with(releaseTemplates, key, held<"release-template">(document)),
    }));
  }

  #putTrigger({ project = "", environment = "", key, body }: StoredDocument): void {
    const placed =
      body === undefined ? undefined : { id: key, project, environment, document: body as unknown as Documents["trigger"] };
    this.#workspace = { ...this.#workspace, triggers: this.#with(this.#workspace.triggers, key, placed) };
  }

  #putFreeze(document: StoredDocument): void {
    const freeze = held<"freeze">(document);
    if (freeze !== undefined) this.#editProject(document.project ?? "", () => ({ freeze }));
  }

  #putSdkKey({ project = "", key, body }: StoredDocument): void {
    const placed = body === undefined ? undefined : { id: key, project, document: body as unknown as Documents["sdk-key"] };
    this.#workspace = { ...this.#workspace, sdkKeys: this.#with(this.#workspace.sdkKeys, key, placed) };
  }

  #putToken(document: StoredDocument): void {
    const tokens = this.#with(this.#workspace.tokens, document.key, held<"token">(document));
    this.#workspace = { ...this.#workspace, tokens };
  }

  #putSession(document: StoredDocument): void {
    const sessions = this.#with(this.#workspace.sessions, document.key, held<"session">(document));
    this.#workspace = { ...this.#workspace, sessions };
  }

  #putWebhook(document: StoredDocument): void {
    const { project = "", key } = document;
    this.#editProject(project, ({ webhooks }) => ({ webhooks: this.#with(webhooks, key, held<"webhook">(document)) }));
  }

  #editProject(key: string, edit: (project: ProjectState) => Partial<ProjectState>): void {
    const project = this.#ownProject(key);
    if (project !== undefined) Object.assign(project, edit(project));
  }

  #editEnvironment(project: string, key: string, edit: (environment: EnvironmentState) => Partial<EnvironmentState>): void {
    const environment = this.#ownEnvironment(project, key);
    if (environment !== undefined) Object.assign(environment, edit(environment));
  }

  #ownProject(key: string): ProjectState | undefined {
    const project = this.#workspace.projects.get(key);
    if (project === undefined || this.#own.has(project)) return project;
    const copy = this.#owned({ ...project });
    this.#workspace = { ...this.#workspace, projects: this.#with(this.#workspace.projects, key, copy) };
    return copy;
  }

  #ownEnvironment(projectKey: string, key: string): EnvironmentState | undefined {
    const environment = this.#workspace.projects.get(projectKey)?.environments.get(key);
    if (environment === undefined || this.#own.has(environment)) return environment;
    const copy = this.#owned({ ...environment });
    this.#editProject(projectKey, ({ environments }) => ({ environments: this.#with(environments, key, copy) }));
    return copy;
  }

  #owned<T extends object>(made: T): T {
    this.#own.add(made);
    return made;
  }

  #staleOf(project: string, environment: string): Stale {
    const id = JSON.stringify([project, environment]);
    let stale = this.#stale.get(id);
    if (stale === undefined) {
      stale = { project, environment, flags: new Set(), segments: false, spaces: false, all: false };
      this.#stale.set(id, stale);
    }
    return stale;
  }

  #staleOfAll(project: string): Stale[] {
    const environments = this.#workspace.projects.get(project)?.environments.keys() ?? [];
    return [...environments].map((environment) => this.#staleOf(project, environment));
  }

  /** A map with one entry written, or removed where `value` is absent. */
  #with<V>(map: ReadonlyMap<string, V>, key: string, value: V | undefined): ReadonlyMap<string, V> {
    const own = this.#own.has(map) ? (map as LayeredMap<V>) : this.#owned(LayeredMap.copy(map));
    own.put(key, value);
    return own;
  }
}

function held<K extends DocumentKind>({ body, revision }: StoredDocument): Held<Documents[K]> | undefined {
  return body === undefined ? undefined : { body: body as unknown as Documents[K], revision };
}

function newProject(key: string, document: Held<Documents["project"]>): ProjectState {
  return {
    key,
    revision: 0,
    document,
    flags: new Map(),
    segments: new Map(),
    environments: new Map(),
    metrics: new Map(),
    experiments: new Map(),
    looks: new Map(),
    outcomes: new Map(),
    incidents: new Map(),
    codePlaces: new Map(),
    layers: new Map(),
    holdouts: new Map(),
    webhooks: new Map(),
    requests: new Map(),
    stale: new Map(),
    releaseTemplates: new Map(),
    signingKeys: new Map(),
  };
}

function newEnvironment(project: string, key: string, document: Held<Documents["environment"]>): EnvironmentState {
  const head = { project, environment: key, revision: 0, spaces: {}, segments: {} };
  return {
    key,
    revision: 0,
    document,
    targetings: new Map(),
    releases: new Map(),
    snapshot: new LiveSnapshot(head, new Map()),
    naming: new Map(),
  };
}
