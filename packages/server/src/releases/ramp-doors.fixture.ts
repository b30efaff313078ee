/* An experiment to ramp on a whole server, through its doors. */
import { E, P, type TestServer } from "../app.fixture.ts";
import type { ProjectState } from "../state/workspace.ts";
import { placementOf } from "./placement.ts";
import { DRAFT, EXPERIMENT } from "./ramp.fixture.ts";

/** Lays the ground through the doors: the flag, its metrics, the split inside a share, and the experiment, running. */
export async function runExperiment({ ask }: Pick<TestServer, "ask">, share = 0): Promise<void> {
  const metric = (key: string, name: string, good: string): Promise<unknown> =>
    ask("POST", `${P}/metrics`, { key, measure: { kind: "proportion", events: { name } }, good, unseen: true });
  await ask("POST", `${P}/flags`, { key: "checkout", type: "string", variants: { long: "l", short: "s", none: "n" } });
  await metric("buyers", "purchase", "increase");
  await metric("errors", "error", "decrease");
  await letIn({ ask }, share);
  await ask("POST", `${P}/experiments`, DRAFT);
  const { status, text } = await ask("POST", `${P}/experiments/${EXPERIMENT}/start`, {});
  if (status !== 200) throw new Error(text);
}

/** Puts the split inside a share, in percent. */
export function letIn({ ask }: Pick<TestServer, "ask">, share: number, more: object = {}): ReturnType<TestServer["ask"]> {
  const serve = { weights: { long: 50, short: 25, none: 25 }, share, tracks: { experiment: EXPERIMENT } };
  return ask("PUT", `${E}/flags/checkout`, {
    enabled: true,
    off: "long",
    rules: [{ id: "rollout", serve }],
    fallthrough: { variant: "long" },
    ...more,
  });
}

/** Units of an arm of a live release: control 0, -1 for those whom the share keeps out. */
export function unitsIn(
  project: ProjectState,
  {
    release,
    arm,
    count,
    from = 0,
  }: { readonly release: string; readonly arm: number; readonly count: number; readonly from?: number },
): string[] {
  const body = project.environments.get("production")?.releases.get(release)?.body;
  if (body === undefined) throw new Error(`there is no release ${release}`);
  const placement = placementOf(project, body);
  const ppm = 10_000 * (body.epochs.at(-1)?.percentage ?? 0);
  const found: string[] = [];
  for (let at = from; found.length < count; at += 1) {
    const mark = placement.markOf(`unit-${at}`);
    if ((mark.point < ppm ? mark.arm : -1) === arm) found.push(`unit-${at}`);
  }
  return found;
}
