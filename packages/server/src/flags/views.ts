import type { Flag, FlagKey, FlagTargeting, Targeting } from "@belay/protocol";
import type { EnvironmentState, FlagDocument, Held, ProjectState } from "../state/workspace.ts";
import { rolloutState } from "./rollout.ts";

/** A flag as the API shows it. */
export function flagView(project: string, key: FlagKey, { body, revision }: Held<FlagDocument>): Flag {
  return { project, key, ...body, revision };
}

/** A targeting as the API shows it. */
export function targetingView(
  project: ProjectState,
  environment: EnvironmentState,
  flag: FlagKey,
  { body, revision }: Held<Targeting>,
): FlagTargeting {
  const rollout = rolloutState(body);
  return {
    project: project.key,
    environment: environment.key,
    flag,
    targeting: body,
    ...(rollout === undefined ? {} : { rollout }),
    revision,
  };
}
