import type { IncidentReport, Stated, StatedEffect } from "@belay/protocol";
import { type Arms, andThen, differenceOf, type Estimate, normalEstimate, type Point, type Result } from "@belay/stats";
import { type ArmSums, type ByEpoch, sumsOf } from "./cells.ts";
import type { Study } from "./study.ts";

/** Each effect with an incident and without, and whether the incident changed it. */
export function incidentsOf(study: Study): readonly IncidentReport[] {
  const { document, aggregate, incidents } = study.facts;
  return incidents.flatMap(({ key, reason, during, others }) =>
    study.primaries().flatMap((metric) =>
      document.treatments.map((treatment): IncidentReport => {
        const without = study.effect(metric, treatment, mergedEpochs(others.map((part) => sumsOf(part, metric))));
        const inside = study.effect(metric, treatment, sumsOf(during, metric));
        return {
          incident: key,
          reason,
          metric: metric.key,
          treatment,
          with: study.effect(metric, treatment, sumsOf(aggregate, metric)).relative,
          without: without.relative,
          interaction: differenceBetween(inside.relative, without.relative, study.alpha),
        };
      }),
    ),
  );
}

/** Parts of an experiment's time as further strata, each phase of each part by itself. */
function mergedEpochs(parts: readonly ReadonlyMap<string, ByEpoch>[]): ReadonlyMap<string, ByEpoch> {
  const merged = new Map<string, Map<number, ArmSums>>();
  for (const [index, part] of parts.entries()) {
    for (const [variant, epochs] of part) {
      const own = merged.get(variant) ?? new Map<number, ArmSums>();
      merged.set(variant, own);
      for (const [epoch, sums] of epochs) own.set(epoch * parts.length + index, sums);
    }
  }
  return merged;
}

function differenceBetween(inside: Result<Estimate>, outside: Result<Estimate>, alpha: number): Stated<StatedEffect> {
  return andThen(inside, (treatment) =>
    andThen(outside, (control) => {
      const points: Arms<Point> = {
        control: { value: control.value, variance: control.standardError ** 2 },
        treatment: { value: treatment.value, variance: treatment.standardError ** 2 },
      };
      return normalEstimate(differenceOf(points), { alpha });
    }),
  );
}
