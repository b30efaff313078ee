import type { ExperimentKey, Phase, Targeting } from "@belay/protocol";
import type { ExperimentDocument } from "../state/workspace.ts";
import type { ChangeId, ChangeLog } from "../store/changes/index.ts";
import { allocationsOf, withNewPhases } from "./phases.ts";

const PAGE = 200;

export interface PhasedExperiment {
  readonly project: string;
  readonly experiment: ExperimentKey;
  readonly document: Pick<ExperimentDocument, "flag" | "environment" | "phases">;
}

/**
 * Phases that began after the last known one, each from the moment its allocation was committed. Read from the log, for a split may
 * change twice before a server looks, and the units of the allocation in between are of a phase of their own.
 */
export async function phasesSince(
  log: Pick<ChangeLog, "positionOf" | "entriesAfter" | "change">,
  { project, experiment, document: { flag, environment, phases } }: PhasedExperiment,
): Promise<readonly Phase[]> {
  // An epoch is the revision of the environment that opened it.
  const epoch = phases.reduce((latest, phase) => Math.max(latest, phase.epoch), 0);
  let position: ChangeId = (await log.positionOf({ project, environment }, epoch)) ?? 0;
  let all = phases;
  for (;;) {
    const entries = await log.entriesAfter(position, PAGE);
    for (const { id, documents } of entries) {
      const written = documents.find(
        (one) => one.kind === "targeting" && one.project === project && one.environment === environment && one.key === flag,
      );
      if (written?.body === undefined) continue;
      const allocations = allocationsOf(written.body as unknown as Targeting, experiment);
      const at = (await log.change(id))?.at;
      if (at !== undefined) all = withNewPhases(all, allocations, new Date(at).toISOString());
    }
    const last = entries.at(-1)?.id;
    if (last === undefined || entries.length < PAGE) return all.slice(phases.length);
    position = last;
  }
}
