import type { Bundle, BundledFlag } from "@belay/protocol";
import type { FlagDocument, ProjectState } from "../state/workspace.ts";

/** The project as one document, with the environments that `isVisible` names. */
export function exportProject(
  { document, segments, flags, environments }: ProjectState,
  isVisible: (environment: string) => boolean,
): Bundle {
  const { name, privateAttributes } = document.body;
  const shown = [...environments.values()].filter(({ key }) => isVisible(key));
  return {
    format: 1,
    project: { name, privateAttributes },
    segments: dictionary(segments, ({ body: { description, when } }) => ({ description, when })),
    flags: dictionary(flags, ({ body }) => bundledFlag(body)),
    environments: Object.fromEntries(
      shown.map(({ key, targetings }) => [key, { targetings: dictionary(targetings, ({ body }) => body) }]),
    ),
  };
}

/** A flag without what belongs to the project it came from. */
export function bundledFlag({ createdAt: _, ...flag }: FlagDocument): BundledFlag {
  return flag;
}

/** In the order of keys, so that two exports of one state are one text. */
function dictionary<T, U>(map: ReadonlyMap<string, T>, view: (value: T) => U): { [key: string]: U } {
  // fromEntries defines own properties, so that a flag called __proto__ is one.
  return Object.fromEntries([...map].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => [key, view(value)]));
}
