/* Where a release stands among the documents, and how a change of it is committed. */
import type { Release, Targeting } from "@belay/protocol";
import { asJson, type Edit, type Refusal, refuse } from "../control/decision.ts";
import { environmentStream } from "../control/streams.ts";
import { stampEpochs } from "../flags/epochs.ts";
import type { EnvironmentState, Held, ProjectState, ReleaseDocument } from "../state/workspace.ts";
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

/** One change of a release, and of its flag's targeting where `targeting` is given: both or neither. */
export function writeRelease(
  place: ReleasePlace,
  before: ReleaseDocument | undefined,
  body: ReleaseDocument,
  action: string,
  targeting?: { readonly before: Targeting; readonly after: Targeting },
): Edit<Release> {
  const { project, environment, key } = place;
  const revision = environment.revision + 1;
  const at = { project: project.key, environment: environment.key };
  const moved =
    targeting === undefined
      ? []
      : [
          {
            ...at,
            kind: "targeting",
            key: body.flag,
            body: asJson(stampEpochs(targeting.before, targeting.after, revision)),
          },
        ];
  return {
    kind: "edit",
    action,
    stream: at,
    target: { kind: "release", key },
    raises: [environmentStream(project, environment)],
    documents: [...moved, { ...at, kind: "release", key, body: asJson(body) }],
    ...(before === undefined ? {} : { before: asJson(before) }),
    after: asJson(body),
    answer: releaseView(place, { body, revision }),
    revision,
  };
}
