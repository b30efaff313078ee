/* What guardrails counted among the units of each segment. Pure. */
import type { AttributePath, Guardrail, SegmentRecord, SegmentUnits } from "@belay/protocol";
import { adjustPValues, type Moments, mergeMoments, NO_MOMENTS } from "@belay/stats";
import { OTHER_VALUES } from "../../store/events/index.ts";
import type { Contrast } from "../placement.ts";
import { effectOver, type Stratum } from "./effect.ts";
import type { KnownUnit } from "./known-units.ts";

interface Question {
  readonly segments: readonly AttributePath[];
  readonly guardrails: readonly Guardrail[];
  readonly contrasts: readonly Contrast[];
}

/** Values of an attribute that are shown by themselves. */
const VALUES_MAX = 20;

/** Every value of every segment by each guardrail and treatment. */
export function segmentRecords(known: Iterable<KnownUnit>, { segments, guardrails, contrasts }: Question): SegmentRecord[] {
  const units = [...known];
  const found = segments.flatMap((attribute, segment) =>
    byValue(units, segment).flatMap(([value, own]) =>
      guardrails.flatMap((guardrail, index) =>
        contrasts.map((contrast, at) => {
          const compared = own.filter(({ arm }) => arm === 0 || arm === at + 1);
          return { attribute, value, ...recordOf(compared, guardrail, index), ...treatmentOf(contrast) };
        }),
      ),
    ),
  );
  return adjusted(found);
}

function treatmentOf({ treatment }: Contrast): Pick<SegmentRecord, "treatment"> {
  return treatment === undefined ? {} : { treatment };
}

/** Units of one segment by its value, in order of the values; those that few units have are put together. */
function byValue(units: readonly KnownUnit[], segment: number): (readonly [string, readonly KnownUnit[]])[] {
  const all = new Map<string, KnownUnit[]>();
  for (const unit of units) {
    const value = unit.values[segment] ?? "";
    const own = all.get(value);
    if (own === undefined) all.set(value, [unit]);
    else own.push(unit);
  }
  const ranked = [...all].sort(([a, own], [b, others]) => others.length - own.length || (a < b ? -1 : 1));
  const rest = ranked.slice(VALUES_MAX).flatMap(([, own]) => own);
  const shown = ranked.slice(0, VALUES_MAX).sort(([a], [b]) => (a < b ? -1 : 1));
  return rest.length === 0 ? shown : [...shown, [OTHER_VALUES, rest]];
}

type Counted = Omit<SegmentRecord, "attribute" | "value" | "treatment" | "adjustedP">;

function recordOf(units: readonly KnownUnit[], { metric, measure: { kind } }: Guardrail, guardrail: number): Counted {
  const strata = new Map<number, { treated: Arm; control: Arm }>();
  for (const { epoch, arm, outcomes } of units) {
    const cell = strata.get(epoch) ?? { treated: NOBODY, control: NOBODY };
    const side = arm > 0 ? "treated" : "control";
    cell[side] = added(cell[side], outcomes[guardrail]);
    strata.set(epoch, cell);
  }
  const cells = [...strata.values()];
  const total = (side: "treated" | "control"): SegmentUnits => {
    const sum = cells.reduce<Arm>((all, cell) => merged(all, cell[side]), NOBODY);
    const { n, mean } = sum.counted;
    return { units: sum.units, counted: n, ...(kind === "values" && n > 0 ? { mean } : {}) };
  };
  return { metric, treated: total("treated"), control: total("control"), effect: effectOver(cells.map(stratumOf), kind) };
}

/** Units exposed, and what was counted of them. */
interface Arm {
  readonly units: number;
  readonly counted: Moments;
}

const NOBODY: Arm = { units: 0, counted: NO_MOMENTS };

function added({ units, counted }: Arm, outcome: number | undefined): Arm {
  const more = outcome === undefined ? counted : mergeMoments(counted, { n: 1, mean: outcome, m2: 0 });
  return { units: units + 1, counted: more };
}

function merged(a: Arm, b: Arm): Arm {
  return { units: a.units + b.units, counted: mergeMoments(a.counted, b.counted) };
}

function stratumOf({ treated, control }: { readonly treated: Arm; readonly control: Arm }): Stratum {
  const share = treated.units / (treated.units + control.units);
  return { share, treated: treated.counted, control: control.counted };
}

function adjusted(records: readonly SegmentRecord[]): SegmentRecord[] {
  const tested = records.filter(({ effect }) => effect.status === "ok");
  const pValues = tested.flatMap(({ effect }) => (effect.status === "ok" ? [effect.pValue] : []));
  const tests = adjustPValues(pValues, { method: "holm" });
  const byRecord = new Map(tested.map((record, index) => [record, tests.status === "ok" ? tests.tests[index] : undefined]));
  return records.map((record) => {
    const test = byRecord.get(record);
    return test === undefined ? record : { ...record, adjustedP: test.adjustedP };
  });
}
