import { clientSnapshot } from "@belay/core";
import type { Condition, Json, Serve, Targeting } from "@belay/protocol";
import fc from "fast-check";
import { expect, it } from "vitest";
import { amend, EMPTY_WORKSPACE } from "../state/amend.ts";
import type { EnvironmentState, ProjectState } from "../state/workspace.ts";
import type { StoredDocument } from "../store/changes/index.ts";
import { type ClientView, clientView, clientViewAfter } from "./client-view.ts";

const FLAGS = ["a", "b", "c", "d", "constructor"];
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
type Edit = readonly StoredDocument[];

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
const edits = fc.oneof(
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

it("is what rendering all of it anew gives, whatever was edited, and names all that differs", () => {
  const seen = { kept: 0, anew: 0 };
  fc.assert(
    fc.property(fc.array(edits, { maxLength: 12 }), (taken) => {
      let workspace = amend(EMPTY_WORKSPACE, { streams: [{ ...PLACE, revision: 1 }], documents: START });
      let view: ClientView = clientView(production(workspace.projects).environment.snapshot, visibleIn(workspace.projects));
      for (const [i, documents] of taken.entries()) {
        workspace = amend(workspace, { streams: [{ ...PLACE, revision: i + 2 }], documents });
        const { environment } = production(workspace.projects);
        const isVisible = visibleIn(workspace.projects);
        const touched = {
          flags: new Set(documents.filter(({ kind }) => kind !== "segment").map(({ key }) => key)),
          segments: documents.some(({ kind }) => kind === "segment"),
          spaces: false,
        };
        const next = clientViewAfter(view, environment, { isVisible, touched });
        expect(next.snapshot.whole).toEqual(clientSnapshot(environment.snapshot.whole, isVisible));
        seen[next.touched === undefined ? "anew" : "kept"] += 1;
        if (next.touched !== undefined) {
          const others = FLAGS.filter((key) => next.touched?.flags.has(key) === false);
          for (const key of others) expect(next.snapshot.flags.get(key)).toEqual(view.snapshot.flags.get(key));
        }
        view = next;
      }
    }),
    { numRuns: 300, seed: 20_261_123 },
  );
  expect(seen.kept).toBeGreaterThan(500);
  expect(seen.anew).toBeGreaterThan(100);
});

type Projects = ReadonlyMap<string, ProjectState>;

function production(projects: Projects): { readonly project: ProjectState; readonly environment: EnvironmentState } {
  const project = projects.get("shop");
  const environment = project?.environments.get("production");
  if (project === undefined || environment === undefined) throw new Error("the workspace has lost its environment");
  return { project, environment };
}

function visibleIn(projects: Projects): (key: string) => boolean {
  const { flags } = production(projects).project;
  return (key) => flags.get(key)?.body.clientSide === true;
}
