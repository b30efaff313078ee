import type { ExperimentResults, Stated, StatedEffect } from "@belay/protocol";

/** Results as rows: one a metric and treatment, for everybody and for each segment. Cells that a spreadsheet would run get an apostrophe. */

const COLUMNS = [
  "experiment",
  "at",
  "metric",
  "role",
  "treatment",
  "segment",
  "segment_value",
  "status",
  "units_control",
  "units_treatment",
  "value_control",
  "value_treatment",
  "absolute",
  "absolute_low",
  "absolute_high",
  "relative",
  "relative_low",
  "relative_high",
  "p_value",
  "adjusted_p",
  "shrunken",
  "shrunken_low",
  "shrunken_high",
  "sequential_low",
  "sequential_high",
  "anytime_p",
  "improved",
  "deteriorated",
  "non_inferior",
] as const;

type Row = { readonly [column in (typeof COLUMNS)[number]]?: string | number | boolean | undefined };

export function resultsCsv(results: ExperimentResults): string {
  const rows = [...metricRows(results), ...segmentRows(results)];
  const lines = rows.map((row) => COLUMNS.map((column) => cell(row[column])).join(","));
  return [COLUMNS.join(","), ...lines].map((line) => `${line}\r\n`).join("");
}

function metricRows({ experiment, at, metrics, control }: ExperimentResults): Row[] {
  return metrics.flatMap(({ metric, role, arms, comparisons }) =>
    comparisons.map((comparison): Row => {
      const { treatment, absolute, relative, shrunken, sequential, nonInferiority, isImproved, isDeteriorated } = comparison;
      const [own, theirs] = [control, treatment].map((variant) => arms.find((arm) => arm.variant === variant));
      return {
        experiment,
        at,
        metric,
        role,
        treatment,
        status: absolute.status === "ok" ? "ok" : absolute.reason,
        units_control: own?.units,
        units_treatment: theirs?.units,
        value_control: own?.value.status === "ok" ? own.value.value : undefined,
        value_treatment: theirs?.value.status === "ok" ? theirs.value.value : undefined,
        ...(absolute.status === "ok"
          ? {
              absolute: absolute.value,
              absolute_low: absolute.interval.low,
              absolute_high: absolute.interval.high,
              p_value: absolute.pValue,
            }
          : {}),
        ...relativeCells(relative),
        ...(shrunken.status === "ok"
          ? { shrunken: shrunken.value, shrunken_low: shrunken.interval.low, shrunken_high: shrunken.interval.high }
          : {}),
        ...(sequential.status === "ok"
          ? {
              sequential_low: sequential.interval.low,
              sequential_high: sequential.interval.high,
              anytime_p: sequential.anytimePValue,
            }
          : {}),
        improved: isImproved,
        deteriorated: isDeteriorated,
        non_inferior: nonInferiority?.status === "ok" ? nonInferiority.isNonInferior : undefined,
      };
    }),
  );
}

function segmentRows({ experiment, at, segments }: ExperimentResults): Row[] {
  return segments.map(({ attribute, value, metric, treatment, relative, adjustedP }) => ({
    experiment,
    at,
    metric,
    role: "segment",
    treatment,
    segment: attribute,
    segment_value: value,
    status: relative.status === "ok" ? "ok" : relative.reason,
    ...relativeCells(relative),
    p_value: relative.status === "ok" ? relative.pValue : undefined,
    adjusted_p: adjustedP,
  }));
}

function relativeCells(relative: Stated<StatedEffect>): Row {
  if (relative.status !== "ok") return {};
  return { relative: relative.value, relative_low: relative.interval.low, relative_high: relative.interval.high };
}

const FORMULA = /^\s*[=+\-@]|^[\t\r]/;

function cell(value: string | number | boolean | undefined): string {
  if (value === undefined) return "";
  if (typeof value !== "string") return String(value);
  const safe = FORMULA.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
