import { type Control, ENVIRONMENT } from "../control.ts";
import type { Subject } from "./sender.ts";

/** A running experiment of three metrics whose exposures a benchmark makes; its results are what is added up. */
export async function startExperiment({ send }: Control): Promise<Subject & { readonly results: string }> {
  const [flag, experiment] = ["checkout", "checkout-test"];
  const variants = ["long", "short"] as const;
  await send("POST", "/flags", { key: flag, type: "string", variants: { long: "l", short: "s" } });
  await send("PUT", `/environments/${ENVIRONMENT}/flags/${flag}`, {
    enabled: true,
    off: "long",
    rules: [],
    fallthrough: { weights: { long: 50, short: 50 }, tracks: { experiment } },
  });
  const metric = (key: string, measure: object, good: string): Promise<unknown> =>
    send("POST", "/metrics", { key, measure, good, unseen: true });
  await metric("buyers", { kind: "proportion", events: { name: "purchase" } }, "increase");
  await metric("revenue", { kind: "sum", events: { name: "purchase" } }, "increase");
  await metric("errors", { kind: "proportion", events: { name: "error" } }, "decrease");
  await send("POST", "/experiments", {
    key: experiment,
    hypothesis: "A shorter checkout sells more",
    flag,
    environment: ENVIRONMENT,
    control: "long",
    treatments: ["short"],
    metrics: { primary: ["buyers"], secondary: ["revenue"], guardrails: ["errors"] },
    alertRoute: "mailto:team@example.org",
  });
  const started = (await send("POST", `/experiments/${experiment}/start`, {})) as {
    readonly phases: readonly [{ readonly epoch: number }];
  };
  return { flag, experiment, variants, epoch: started.phases[0].epoch, results: `experiments/${experiment}/results` };
}
