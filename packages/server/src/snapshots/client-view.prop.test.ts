import { clientSnapshot } from "@belay/core";
import fc from "fast-check";
import { expect, it } from "vitest";
import { type ClientView, clientView, clientViewAfter } from "./client-view.ts";
import { edited, edits, FLAGS, production, unedited, visibleIn } from "./edits.fixture.ts";

it("is what rendering all of it anew gives, whatever was edited, and names all that differs", () => {
  const seen = { kept: 0, anew: 0 };
  fc.assert(
    fc.property(fc.array(edits, { maxLength: 12 }), (taken) => {
      let workspace = unedited();
      let view: ClientView = clientView(production(workspace).environment.snapshot, visibleIn(workspace));
      for (const [i, documents] of taken.entries()) {
        workspace = edited(workspace, i + 2, documents);
        const { environment } = production(workspace);
        const isVisible = visibleIn(workspace);
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
