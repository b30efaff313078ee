import { Registry } from "prom-client";
import { expect, it } from "vitest";
import { UseBook } from "../access/use-book.ts";
import { ExperimentPulse, SILENT_AFTER_MS } from "../experiments/pulse.ts";
import { EMPTY_WORKSPACE } from "../state/amend.ts";
import type { ExperimentDocument, Held, ProjectState, Workspace } from "../state/workspace.ts";
import { meterExperiments } from "./experiment-meters.ts";
import { Places } from "./places.ts";

const T0 = Date.parse("2026-11-22T12:00:00.000Z");
const clock = { now: T0 };

/** A project with so many running experiments, and one that is stopped. */
function projectWith(running: number): Workspace {
  const held = (key: number, status: "running" | "stopped"): [string, Held<ExperimentDocument>] => {
    const metrics = { primary: ["buyers"], secondary: [], guardrails: ["errors"] };
    const body = {
      status,
      environment: "production",
      metrics,
      alertRoute: "mailto:a@b.example",
      startedAt: new Date(T0).toISOString(),
    };
    return [`e${key}`, { revision: 1, body: body as unknown as ExperimentDocument }];
  };
  const experiments = new Map([...Array.from({ length: running }, (_, key) => held(key, "running")), held(running, "stopped")]);
  const project = { key: "shop", environments: new Map(), experiments } as unknown as ProjectState;
  return { ...EMPTY_WORKSPACE, projects: new Map([["shop", project]]) };
}

it("counts what runs, what fell silent by what is missing, and never a series more for more experiments", async () => {
  clock.now = T0;
  const registry = new Registry();
  const workspace = projectWith(300);
  const book = new UseBook({ now: () => clock.now });
  const pulse = new ExperimentPulse({
    workspace: () => workspace,
    book,
    now: () => clock.now,
    tell: () => undefined,
    everyMs: 2 ** 30,
  });
  meterExperiments(registry, { control: { workspace }, pulse, places: new Places() });
  const series = async (): Promise<Record<string, number>> => {
    const rows = (await registry.metrics()).split("\n").filter((row) => row !== "" && !row.startsWith("#"));
    return Object.fromEntries(
      rows.map((row) => [row.slice(0, row.lastIndexOf(" ")), Number(row.slice(row.lastIndexOf(" ") + 1))]),
    );
  };
  const place = 'project="shop",environment="production"';
  const calm = { [`belay_experiments_running{${place}}`]: 300, belay_experiments_uncovered: 0 };
  expect(await series()).toEqual(calm);
  clock.now += SILENT_AFTER_MS;
  expect(await series()).toEqual(calm);
  book.note("experiment-exposures", "shop e7");
  clock.now += 1;
  expect(await series()).toEqual({
    ...calm,
    [`belay_experiments_silent{${place},missing="exposures"}`]: 299,
    [`belay_experiments_silent{${place},missing="metrics"}`]: 300,
  });
  pulse.close();
});
