/** Random edits of one environment whose flags, segments and spaces name one another, and of which pages see a part. */
import type { Condition, Json, Serve, Targeting } from "@belay/protocol";
import fc from "fast-check";
import { amend, EMPTY_WORKSPACE } from "../state/amend.ts";
import type { EnvironmentState, ProjectState, Workspace } from "../state/workspace.ts";
import type { StoredDocument } from "../store/changes/index.ts";

/** Keys of all its flags. */
export const FLAGS = ["a", "b", "c", "d", "constructor"];
const SEGMENTS = ["s", "t"];
const PLACE = { project: "shop", environment: "production" };

const flagKeys = fc.constantFrom(...FLAGS);
const leaf: fc.Arbitrary<Condition> = fc.oneof(
  fc.constant<Condition>({ attribute: "country", op: "in", value: "DE" }),
  fc.constant<Condition>({ attribute: "name", op: "matches", value: "x" }),
  fc.constantFrom(...SEGMENTS).map((segment): Condition => ({ segment })),
  flagKeys.map((flag): Condition => ({ flag, variants: ["on"] })),
  fc.constant<Condition>({ draw: { space: "holdout/h", in: [[0, 1_000]] } }),
);
const serves: fc.Arbitrary<Serve> = fc.oneof(
  fc.constant<Serve>({ variant: "on" }),
  fc.constantFrom("share", "layer/l").map(
    (space): Serve => ({
      split: [{ variant: "on", draws: [{ space, in: [[0, 500_000]] }], tracks: { experiment: "e", epoch: 1 } }],
    }),
  ),
);
const targetings: fc.Arbitrary<Targeting> = fc.record({
  enabled: fc.boolean(),
  off: fc.constant("off"),
  rules: fc
    .array(fc.record({ when: leaf, serve: serves }), { maxLength: 2 })
    .map((rules) => rules.map((rule, i) => ({ id: `r${i}`, ...rule }))),
  prerequisites: fc.array(
    flagKeys.map((flag) => ({ flag, variants: ["on"] })),
    { maxLength: 1 },
  ),
});

/** One commit: documents of what snapshots show. */
export type Edit = readonly StoredDocument[];

const document = (kind: string, key: string, body: object, environment?: string): StoredDocument => ({
  ...{ kind, key, project: "shop", revision: 1, body: body as unknown as Json },
  ...(environment === undefined ? {} : { environment }),
});
const targetingEdits = fc
  .tuple(flagKeys, targetings)
  .map(([key, body]): Edit => [document("targeting", key, body, "production")]);
const flagDocument = (key: string, clientSide: boolean, archived: boolean): StoredDocument =>
  document("flag", key, {
    ...{ type: "boolean", variants: { on: true, off: false }, description: "", tags: [], kind: "release" },
    ...{ clientSide, archived, createdAt: "", spaces: { share: { salt: "s" }, split: { salt: "p" } } },
  });
const flagEdits = fc
  .tuple(flagKeys, fc.boolean(), fc.boolean())
  .map(([key, clientSide, archived]): Edit => [flagDocument(key, clientSide, archived)]);
const segmentEdits = fc
  .tuple(fc.constantFrom(...SEGMENTS), leaf)
  .map(([key, when]): Edit => [document("segment", key, { description: "", when, createdAt: "" })]);
export const edits: fc.Arbitrary<Edit> = fc.oneof(
  { arbitrary: targetingEdits, weight: 6 },
  { arbitrary: fc.tuple(targetingEdits, targetingEdits).map(([a, b]): Edit => [...a, ...b]), weight: 2 },
  { arbitrary: flagEdits, weight: 2 },
  { arbitrary: segmentEdits, weight: 1 },
);

const START: Edit = [
  document("project", "shop", { name: "", privateAttributes: [], createdAt: "" }),
  document("environment", "production", { name: "", createdAt: "" }),
  document("layer", "l", { description: "", space: { salt: "l" }, createdAt: "" }),
  document("holdout", "h", { description: "", space: { salt: "h" }, share: 1_000, createdAt: "" }),
  ...SEGMENTS.map((key) => document("segment", key, { description: "", when: { attribute: "n", op: "in", value: "x" } })),
  ...FLAGS.map((key, i) => flagDocument(key, i % 2 === 0, false)),
  ...FLAGS.map((key) => document("targeting", key, { enabled: true, off: "off", rules: [] }, "production")),
];

/** The workspace before the first edit, at revision 1. */
export function unedited(): Workspace {
  return amend(EMPTY_WORKSPACE, { streams: [{ ...PLACE, revision: 1 }], documents: START });
}

/** The workspace after an edit, at that revision. */
export function edited(workspace: Workspace, revision: number, documents: Edit): Workspace {
  return amend(workspace, { streams: [{ ...PLACE, revision }], documents });
}

export function production({ projects }: Workspace): { readonly project: ProjectState; readonly environment: EnvironmentState } {
  const project = projects.get("shop");
  const environment = project?.environments.get("production");
  if (project === undefined || environment === undefined) throw new Error("the workspace has lost its environment");
  return { project, environment };
}

/** Which flags pages see. */
export function visibleIn(workspace: Workspace): (key: string) => boolean {
  const { flags } = production(workspace).project;
  return (key) => flags.get(key)?.body.clientSide === true;
}
