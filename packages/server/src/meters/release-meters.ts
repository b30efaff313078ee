import type { Registry } from "prom-client";
import type { ControlPlane } from "../control/control-plane.ts";
import { isLive } from "../releases/states.ts";
import type { Watchtower } from "../releases/watchtower.ts";
import { gauge } from "./counted.ts";
import { PlaceCounts } from "./place-counts.ts";
import type { Places } from "./places.ts";

export interface ReleaseMeterSources {
  readonly control: Pick<ControlPlane, "workspace">;
  readonly tower: Pick<Watchtower, "reading" | "uncovered">;
  readonly places: Places;
}

/** Releases that climb, and what their guardrails say. */
export function meterReleases(registry: Registry, { control, tower, places }: ReleaseMeterSources): void {
  const labels = ["project", "environment", "state"] as const;
  gauge(registry, { name: "belay_releases", help: "Live releases by state", labels }, (set) => {
    const counts = new PlaceCounts();
    for (const { place, state } of liveReleases(control)) counts.add(places.labels(place.project, place.environment), state);
    counts.each(set);
  });
  const help = "Guardrails of live releases by verdict: quiet, pause, rollback, or rebuilding after a restart";
  gauge(registry, { name: "belay_guardrails", help, labels }, (set) => {
    const counts = new PlaceCounts();
    for (const { place, guardrails } of liveReleases(control)) {
      const labelled = places.labels(place.project, place.environment);
      const reading = tower.reading(place);
      if (reading === undefined) counts.add(labelled, "rebuilding", guardrails);
      else for (const { verdict } of reading.guardrails) counts.add(labelled, verdict);
    }
    counts.each(set);
  });
  gauge(registry, { name: "belay_releases_uncovered", help: "Live releases that nobody watches; always 0" }, (set) => {
    set(tower.uncovered().length);
  });
}

interface LiveRelease {
  readonly place: { readonly project: string; readonly environment: string; readonly key: string };
  readonly state: string;
  readonly guardrails: number;
}

function liveReleases({ workspace }: ReleaseMeterSources["control"]): LiveRelease[] {
  return [...workspace.projects].flatMap(([project, { environments }]) =>
    [...environments].flatMap(([environment, { releases }]) =>
      [...releases]
        .filter(([, { body }]) => isLive(body.state))
        .map(([key, { body }]) => ({
          place: { project, environment, key },
          state: body.state,
          guardrails: body.guardrails.length,
        })),
    ),
  );
}
