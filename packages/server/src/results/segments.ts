import type { SegmentResult } from "@belay/protocol";
import { adjustPValues } from "@belay/stats";
import { type Aggregate, OTHER_VALUES } from "../store/events/index.ts";
import { NOBODY, sumsOf } from "./cells.ts";
import { armUnits, type Study } from "./study.ts";

/** Values of a segment that are shown by themselves: a p-value more for each costs all others theirs. */
const SEGMENT_VALUES_MAX = 20;

/** Effects on the primary metrics within each value of the segments, with p-values that pay for each other. */
export function segmentsOf(study: Study): readonly SegmentResult[] {
  const { document, aggregate } = study.facts;
  const found = segmentValues(aggregate).flatMap((segment) =>
    study.primaries().flatMap((metric) => {
      const sums = sumsOf(aggregate, metric, { segment });
      return document.treatments.map((treatment): SegmentResult => {
        const { relative } = study.effect(metric, treatment, sums);
        const attribute = document.segments[segment.index] ?? "";
        const units = [document.control, treatment].reduce((sum, arm) => sum + armUnits(sums.get(arm) ?? NOBODY), 0);
        return { attribute, value: segment.name, metric: metric.key, treatment, units, relative };
      });
    }),
  );
  const tested = found.filter(({ relative }) => relative.status === "ok");
  const pValues = tested.flatMap(({ relative }) => (relative.status === "ok" ? [relative.pValue] : []));
  const adjusted = adjustPValues(pValues, { method: "holm", alpha: study.alpha });
  return found.map((segment) => {
    const test = adjusted.status === "ok" ? adjusted.tests[tested.indexOf(segment)] : undefined;
    return test === undefined ? segment : { ...segment, adjustedP: test.adjustedP };
  });
}

interface NamedSegment {
  readonly name: string;
  readonly index: number;
  readonly values: ReadonlySet<string>;
}

/** The values of each segment that most units have, by name, and all others together. */
function segmentValues({ arms }: Aggregate): readonly NamedSegment[] {
  const units = new Map<number, Map<string, number>>();
  for (const { segment, units: n } of arms) {
    if (segment === undefined) continue;
    const values = units.get(segment.index) ?? new Map<string, number>();
    units.set(segment.index, values);
    values.set(segment.value, (values.get(segment.value) ?? 0) + n);
  }
  return [...units]
    .sort(([a], [b]) => a - b)
    .flatMap(([index, values]) => {
      const ranked = [...values]
        .filter(([value]) => value !== OTHER_VALUES)
        .sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))
        .map(([value]) => value);
      const shown = ranked.slice(0, SEGMENT_VALUES_MAX).sort();
      const rest = [...ranked.slice(SEGMENT_VALUES_MAX), ...(values.has(OTHER_VALUES) ? [OTHER_VALUES] : [])];
      const named = shown.map((value): NamedSegment => ({ name: value, index, values: new Set([value]) }));
      return rest.length === 0 ? named : [...named, { name: OTHER_VALUES, index, values: new Set(rest) }];
    });
}
