/* Whether what else was live changed what a release did, by the units that were in both. Pure. */
import type { Guardrail, InterferenceRecord, Neighbour, PairCells, SegmentUnits, VariantName } from "@belay/protocol";
import { type PairTable, pairTables, screened } from "../../results/interactions.ts";
import type { PairCell } from "../../store/events/index.ts";
import type { KnownUnit } from "./known-units.ts";

/** Something else that was live, with its arms, control first. */
export interface Other extends Pick<Neighbour, "kind" | "key"> {
  readonly arms: readonly VariantName[];
}

interface Question {
  readonly guardrails: readonly Guardrail[];
  /** The release's own arms, control first; what they are called matters where it ramps an experiment. */
  readonly arms: readonly VariantName[];
  readonly isRamp: boolean;
  readonly others: readonly Other[];
}

interface Table {
  readonly metric: string;
  readonly other: Other;
  readonly table: PairTable;
}

/**
 * Each treatment beside each treatment of the others, by each guardrail of failures, on the share of units that had the event after both
 * exposures. All at once, false discoveries held at 5 %; others that share no unit with the release are left out.
 */
export function interferenceRecords(
  known: Iterable<KnownUnit>,
  { guardrails, arms, isRamp, others }: Question,
): InterferenceRecord[] {
  const units = [...known];
  const tables = others.flatMap((other, index) =>
    guardrails.flatMap(({ metric, measure }, guardrail): Table[] => {
      if (measure.kind !== "failures") return [];
      const cells = cellsOf(units, { other: index, guardrail });
      if (cells.length === 0) return [];
      const found = pairTables(cells, [armed("own", arms), armed("other", other.arms)]);
      return found.map((table) => ({ metric, other, table }));
    }),
  );
  const found = screened(tables.map(({ table }) => table));
  return tables.flatMap(({ metric, other: { kind, key, arms: theirs }, table }, index): InterferenceRecord[] => {
    const pair = found[index];
    if (pair === undefined) return [];
    const { effect, adjustedP, smallestDetectable, treatments } = pair;
    const [own = "", treatment = ""] = [arms[Number(treatments[0])], theirs[Number(treatments[1])]];
    return [
      {
        ...{ kind, key, metric, treatment },
        ...(isRamp ? { ownTreatment: own } : {}),
        cells: countsOf(table),
        effect,
        ...(adjustedP === undefined ? {} : { adjustedP }),
        ...(smallestDetectable === undefined ? {} : { smallestDetectable }),
      },
    ];
  });
}

/** Arms by their number: two of them may have one name. */
function armed(key: string, arms: readonly VariantName[]): Parameters<typeof pairTables>[1][number] {
  return { key, document: { control: "0", treatments: arms.slice(1).map((_, index) => String(index + 1)) } };
}

/** Units in both by their arms, and how many of them a guardrail counted since. */
function cellsOf(units: readonly KnownUnit[], of: { readonly other: number; readonly guardrail: number }): PairCell[] {
  const cells = new Map<string, { variants: [string, string]; n: number; counted: number }>();
  for (const { arm, both } of units) {
    const met = both.find(({ other }) => other === of.other);
    if (met === undefined) continue;
    const name = `${arm} ${met.arm}`;
    const cell = cells.get(name) ?? { variants: [String(arm), String(met.arm)], n: 0, counted: 0 };
    cell.n += 1;
    if (met.counted.has(of.guardrail)) cell.counted += 1;
    cells.set(name, cell);
  }
  // A unit counts 1 or 0: its square is the same.
  return [...cells.values()].map(({ variants, n, counted }) => ({
    experiments: [0, 1],
    variants,
    n,
    first: counted,
    second: counted,
  }));
}

function countsOf({ cells: { cc, ct, tc, tt } }: PairTable): PairCells {
  const counts = ({ n, value }: PairTable["cells"]["cc"]): SegmentUnits => ({ units: n, counted: Math.round(n * value) });
  return { cc: counts(cc), ct: counts(ct), tc: counts(tc), tt: counts(tt) };
}
