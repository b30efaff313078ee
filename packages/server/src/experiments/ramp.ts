import type { ExperimentKey } from "@belay/protocol";
import { type Refusal, refuse } from "../control/decision.ts";
import { isLive } from "../releases/states.ts";
import type { ProjectState, ReleaseDocument } from "../state/workspace.ts";

/** A live release that ramps an experiment. */
export interface Ramp {
  readonly release: string;
  readonly body: ReleaseDocument;
}

/** The release that ramps an experiment now; `undefined`: none does. There is one at most, for a flag is moved by one at most. */
export function rampOf({ environments }: Pick<ProjectState, "environments">, experiment: ExperimentKey): Ramp | undefined {
  for (const { releases } of environments.values()) {
    for (const [release, { body }] of releases) {
      if (body.experiment === experiment && isLive(body.state)) return { release, body };
    }
  }
  return undefined;
}

/** Why an experiment cannot take a command while a release ramps it; `undefined`: none does. */
export function refuseRamped(project: ProjectState, experiment: ExperimentKey, command: string): Refusal | undefined {
  const ramp = rampOf(project, experiment);
  return ramp === undefined ? undefined : refuse("release_ramps_experiment", { key: ramp.release, experiment, command });
}
