/* Where a release stands among the documents, and how a change of it is committed. */
import type { ExperimentKey, Json, Release, Targeting } from "@belay/protocol";
import { asJson, type Edit, type Refusal, refuse } from "../control/decision.ts";
import { environmentStream, projectStream } from "../control/streams.ts";
import { type Opened, stampEpochs } from "../flags/epochs.ts";
import type { EnvironmentState, ExperimentDocument, Held, ProjectState, ReleaseDocument } from "../state/workspace.ts";
import { after, eventsOf, type ReleaseEvent } from "./states.ts";

export interface ReleasePlace {
  readonly project: ProjectState;
  readonly environment: EnvironmentState;
  readonly key: string;
}

export function releaseView({ project, environment, key }: ReleasePlace, { body, revision }: Held<ReleaseDocument>): Release {
  return { project: project.key, environment: environment.key, key, ...body, revision };
}

export function heldRelease({ environment, key }: ReleasePlace): Held<ReleaseDocument> | Refusal {
  return environment.releases.get(key) ?? refuse("release_not_found", { key });
}

/** The state an event leads to, or why it is refused there. */
export function nextState(key: string, { state }: ReleaseDocument, event: ReleaseEvent): ReleaseDocument["state"] | Refusal {
  return after(state, event) ?? refuse("release_state", { key, state, command: event, allowed: eventsOf(state) });
}

/** What its exposures name: the experiment that it ramps, or itself. */
export function trackedAs(
  key: string,
  { experiment }: Pick<ReleaseDocument, "experiment">,
): { readonly experiment: ExperimentKey } | { readonly release: string } {
  return experiment === undefined ? { release: key } : { experiment };
}

/** What a change of a release changes beside it: all of it or none. */
export interface Beside {
  /** `opened`: what begins an epoch by it, whatever its allocation was. */
  readonly targeting?: { readonly before: Targeting; readonly after: Targeting; readonly opened?: Opened };
  readonly experiment?: { readonly key: ExperimentKey; readonly body: ExperimentDocument };
}

/** One change of a release. An experiment belongs to the project, whose stream is raised along with it. */
export function writeRelease(
  place: ReleasePlace,
  before: ReleaseDocument | undefined,
  body: ReleaseDocument,
  action: string,
  { targeting, experiment }: Beside = {},
): Edit<Release> {
  const { project, environment, key } = place;
  const revision = environment.revision + 1;
  const at = { project: project.key, environment: environment.key };
  const moved = targeting === undefined ? [] : [{ ...at, kind: "targeting", key: body.flag, body: movedBy(targeting, revision) }];
  const turned =
    experiment === undefined
      ? []
      : [{ project: project.key, kind: "experiment", key: experiment.key, body: asJson(experiment.body) }];
  return {
    kind: "edit",
    action,
    stream: at,
    target: { kind: "release", key },
    raises: [environmentStream(project, environment), ...(experiment === undefined ? [] : [projectStream(project)])],
    documents: [...moved, ...turned, { ...at, kind: "release", key, body: asJson(body) }],
    ...(before === undefined ? {} : { before: asJson(before) }),
    after: asJson(body),
    answer: releaseView(place, { body, revision }),
    revision,
  };
}

function movedBy({ before, after: moved, opened }: NonNullable<Beside["targeting"]>, revision: number): Json {
  return asJson(stampEpochs(before, moved, revision, opened === undefined ? [] : [opened]));
}
