/* Spans, moments and names as people read them. */
import type { GuardrailRecord, SegmentRecord } from "@belay/protocol";

/** 850 ms, 4.2 s, 12 min, 3.5 h, 6.0 d: two digits that count, in the unit that fits. */
export function span(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  if (ms < 2 * 3_600_000) return `${Math.round(ms / 60_000)} min`;
  if (ms < 2 * 86_400_000) return `${(ms / 3_600_000).toFixed(1)} h`;
  return `${(ms / 86_400_000).toFixed(1)} d`;
}

/** 2026-11-22 12:00:07 UTC. */
export function moment(at: string): string {
  return `${at.slice(0, 10)} ${at.slice(11, 19)} UTC`;
}

/** `country = DE`; `country = (none)` of units without. */
export function segmentName({ attribute, value }: Pick<SegmentRecord, "attribute" | "value">): string {
  return `${attribute} = ${value === "" ? "(none)" : value}`;
}

/** `errors`; of one treatment of an experiment, `errors in short`. */
export function guardrailName({ metric, treatment }: Pick<GuardrailRecord, "metric" | "treatment">): string {
  return treatment === undefined ? metric : `${metric} in ${treatment}`;
}
