import type { Registry } from "prom-client";
import type { ControlPlane } from "../control/control-plane.ts";
import type { ExperimentPulse, Silence } from "../experiments/pulse.ts";
import { gauge } from "./counted.ts";
import { PlaceCounts } from "./place-counts.ts";
import type { Places } from "./places.ts";

export interface ExperimentMeterSources {
  readonly control: Pick<ControlPlane, "workspace">;
  readonly pulse: Pick<ExperimentPulse, "silent" | "uncovered">;
  readonly places: Places;
}

const STATES: Readonly<Record<Silence, string>> = { "exposures-silent": "exposures", "metrics-silent": "metrics" };

/** Experiments that run, and those of which nothing is heard any more. */
export function meterExperiments(registry: Registry, { control, pulse, places }: ExperimentMeterSources): void {
  const help = "Experiments that run";
  gauge(registry, { name: "belay_experiments_running", help, labels: ["project", "environment"] }, (set) => {
    const counts = new PlaceCounts();
    for (const [project, { experiments }] of control.workspace.projects) {
      for (const { body } of experiments.values()) {
        if (body.status === "running") counts.add(places.labels(project, body.environment), "running");
      }
    }
    counts.each((value, { project, environment }) => set(value, { project, environment }));
  });
  gauge(
    registry,
    {
      name: "belay_experiments_silent",
      help: "Running experiments that have heard nothing for a day, by what is missing: exposures, or events of their metrics",
      labels: ["project", "environment", "missing"],
    },
    (set) => {
      const counts = new PlaceCounts();
      for (const { project, document, silence } of pulse.silent()) {
        counts.add(places.labels(project, document.environment), STATES[silence]);
      }
      counts.each((value, { state, ...place }) => set(value, { ...place, missing: state }));
    },
  );
  gauge(registry, { name: "belay_experiments_uncovered", help: "Running experiments that nobody watches; always 0" }, (set) => {
    set(pulse.uncovered().length);
  });
}
