import type { Flag, FlagKey, ReshuffleDraft } from "@belay/protocol";
import { asJson, type Decision, refuse } from "../control/decision.ts";
import { writeProjectDocument } from "../control/project-document.ts";
import { allStreams } from "../control/streams.ts";
import { isLive } from "../releases/states.ts";
import type { FlagDocument, FlagSpaces, ProjectState } from "../state/workspace.ts";
import type { DocumentWrite } from "../store/changes/index.ts";
import { armMoves, refuseMoves } from "./arms.ts";
import { liveFlag } from "./domain.ts";
import { stampEpochs } from "./epochs.ts";
import { reshuffled } from "./salts.ts";
import { flagView } from "./views.ts";

const SPACES = ["share", "split"] as const;

/**
 * Gives a flag's own spaces new salts, in all environments: every unit falls anew, shares and weights stay. Nothing else ever
 * changes a salt. Pure.
 *
 *   share   others take part; who takes part still gets what they would have got
 *   split   the same take part; who gets what is drawn anew, and a running experiment begins a new epoch
 */
export function reshuffleFlag(
  project: ProjectState,
  key: FlagKey,
  { spaces = SPACES, newEpoch = false }: ReshuffleDraft,
): Decision<Flag> {
  const held = liveFlag(project, key);
  if ("code" in held) return held;
  const release = liveReleaseOf(project, key);
  if (release !== undefined) return refuse("release_owns_flag", { key: release });
  const after: FlagDocument = { ...held.body, spaces: spacesAfter(held.body.spaces, spaces) };
  const beside: DocumentWrite[] = [];
  for (const environment of project.environments.values()) {
    const targeting = environment.targetings.get(key);
    if (targeting === undefined) continue;
    const { moving, opened } = armMoves({ environment, flag: key }, { flag: held.body, targeting }, targeting.body, after);
    if (!newEpoch && moving.length > 0) return refuseMoves(moving);
    if (opened.length === 0) continue;
    const body = asJson(stampEpochs(targeting.body, targeting.body, environment.revision + 1, opened));
    beside.push({ kind: "targeting", project: project.key, environment: environment.key, key, body });
  }
  return writeProjectDocument(project, {
    ...{ kind: "flag", key, action: "flag.reshuffle", before: held, after, beside },
    raises: allStreams(project),
    view: (flag) => flagView(project.key, key, flag),
  });
}

function spacesAfter(spaces: FlagSpaces, names: readonly (keyof FlagSpaces)[]): FlagSpaces {
  return { ...spaces, ...Object.fromEntries(names.map((name) => [name, reshuffled(spaces[name])])) };
}

/** A release counts the units of the line it climbs: drawn anew, it would compare two crowds. */
function liveReleaseOf({ environments }: ProjectState, flag: FlagKey): string | undefined {
  for (const { releases } of environments.values())
    for (const [key, { body }] of releases) if (body.flag === flag && isLive(body.state)) return key;
  return undefined;
}
