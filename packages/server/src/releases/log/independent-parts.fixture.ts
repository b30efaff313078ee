/*
 * Segments and interference of a release's log, once more, from lines that anybody can pull. Plain loops that share nothing with the
 * product; a unit is in the arm it was told first.
 */

interface Line {
  readonly unit: string;
  readonly received_at: string;
  readonly variant?: string;
  readonly value?: number;
  readonly attributes?: { readonly country?: string } | null;
  readonly properties?: { readonly device?: string } | null;
}

interface Told {
  readonly at: number;
  readonly isTreated: boolean;
  readonly country: string;
}

export interface RawParts {
  readonly exposures: readonly Line[];
  readonly banner: readonly Line[];
  readonly errors: readonly Line[];
  readonly latencies: readonly Line[];
  /** When each stage began, and the end of it all. */
  readonly starts: readonly number[];
  readonly gone: number;
}

/** By country and metric: who was exposed, who of them was counted, the effect. */
export function segmentsOf({ exposures, errors, latencies, starts, gone }: RawParts) {
  const told = firsts(exposures.filter(({ received_at }) => Date.parse(received_at) <= gone));
  const events = {
    errors,
    latency: latencies,
    "phone-errors": errors.filter(({ properties }) => properties?.device === "phone"),
  };
  return ["", "DE", "FR"].flatMap((country) =>
    Object.entries(events).map(([metric, lines]) => {
      const values = valuesOf(lines, told, gone);
      const rows: Row[] = [];
      for (let stage = 0; stage < starts.length; stage += 1) {
        const arm = (isTreated: boolean) => {
          let units = 0;
          const counted: number[] = [];
          for (const [unit, one] of told) {
            const isHere = one.at >= (starts[stage] ?? 0) && one.at < (starts[stage + 1] ?? Number.POSITIVE_INFINITY);
            if (!isHere || one.isTreated !== isTreated || one.country !== country) continue;
            units += 1;
            const value = values.get(unit);
            if (value !== undefined) counted.push(metric === "latency" ? Math.min(value, 1_000) : 1);
          }
          return { units, counted };
        };
        rows.push({ treated: arm(true), control: arm(false) });
      }
      const total = (side: "treated" | "control") => ({
        units: rows.reduce((sum, row) => sum + row[side].units, 0),
        counted: rows.reduce((sum, row) => sum + row[side].counted.length, 0),
      });
      return {
        ...{ country, metric, treated: total("treated"), control: total("control") },
        effect: metric === "latency" ? meanRatio(rows) : riskRatio(rows),
      };
    }),
  );
}

/** Units of both releases by their arms, and those of them that failed. */
export function pairsOf({ exposures, banner, errors, gone }: RawParts): Record<string, { units: number; counted: number }> {
  const [own, others] = [firsts(exposures), firsts(banner)];
  const failed = valuesOf(errors, own, gone);
  const cells: Record<string, { units: number; counted: number }> = {};
  for (const [unit, { isTreated, at }] of own) {
    const other = others.get(unit);
    if (other === undefined || at > gone) continue;
    const name = `${isTreated ? "t" : "c"}${other.isTreated ? "t" : "c"}`;
    const cell = cells[name] ?? { units: 0, counted: 0 };
    cell.units += 1;
    if (failed.has(unit)) cell.counted += 1;
    cells[name] = cell;
  }
  return cells;
}

function firsts(lines: readonly Line[]): Map<string, Told> {
  const told = new Map<string, Told>();
  for (const { unit, received_at, variant, attributes } of lines) {
    if (told.has(unit)) continue;
    told.set(unit, { at: Date.parse(received_at), isTreated: variant === "on", country: attributes?.country ?? "" });
  }
  return told;
}

/** The first value of each unit from its exposure on. */
function valuesOf(lines: readonly Line[], told: ReadonlyMap<string, Told>, gone: number): Map<string, number> {
  const values = new Map<string, number>();
  for (const { unit, received_at, value = 1 } of lines) {
    const at = Date.parse(received_at);
    if (at > gone || at < (told.get(unit)?.at ?? Number.POSITIVE_INFINITY) || values.has(unit)) continue;
    values.set(unit, value ?? 1);
  }
  return values;
}

interface Row {
  readonly treated: { readonly units: number; readonly counted: readonly number[] };
  readonly control: { readonly units: number; readonly counted: readonly number[] };
}

/** The risk in treatment over that in control, by stages put together as Mantel and Haenszel do, less 1. */
function riskRatio(rows: readonly Row[]): number {
  let [above, below] = [0, 0];
  for (const { treated, control } of rows) {
    const all = treated.units + control.units;
    above += (treated.counted.length * control.units) / all;
    below += (control.counted.length * treated.units) / all;
  }
  return above / below - 1;
}

function meanRatio(rows: readonly Row[]): number {
  let [above, below] = [0, 0];
  for (const { treated, control } of rows) {
    const [a, b] = [treated.counted.length, control.counted.length];
    const mean = (list: readonly number[]): number => list.reduce((sum, value) => sum + value, 0) / list.length;
    above += ((a * b) / (a + b)) * mean(treated.counted);
    below += ((a * b) / (a + b)) * mean(control.counted);
  }
  return above / below - 1;
}
