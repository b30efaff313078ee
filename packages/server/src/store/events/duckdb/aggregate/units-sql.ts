/* Who is in an experiment: one row a unit with what its first exposure fixed for ever. */

import type { AggregateRequest } from "../../aggregate/request.ts";
import { text } from "../sql.ts";
import { AT_MS, MS_OF_KEY, ORDER_KEY, POSITION_OF_KEY, segmentOf } from "./selection-sql.ts";

/** Exposures that arrived after `after` and no later than `through`, by unit: the earliest, and whether variants differ. */
export function arrivedUnits(request: Subject, { after, through }: Span): string {
  return `select unit, min(${ORDER_KEY}) as key, min(variant) as lowest, max(variant) as highest from exposures
    where ${isOf(request)} and position > ${after} and position <= ${through} group by unit`;
}

/** What the first exposures of `keys` (rows of unit, key, lowest, highest) fixed, numbered above `base`. */
export function enrolled(keys: string, segments: readonly string[], base: number): string {
  const values = segments.map((path, index) => `${segmentOf(path)} as s${index}`);
  return `select (${base} + row_number() over ())::INTEGER as number, e.unit, e.variant, e.epoch, k.key, ${MS_OF_KEY} as start_ms,
      k.lowest, k.highest ${values.map((value) => `, ${value}`).join("")}
    from (${keys}) k join exposures e on e.position = ${POSITION_OF_KEY} and e.unit = k.unit`;
}

export interface Span {
  readonly after: number;
  readonly through: number;
  /** By their senders' clocks, uncorrected: what was made earlier is left out. */
  readonly madeFromMs?: number;
}

export type Subject = Pick<AggregateRequest, "project" | "environment" | "experiment" | "fromMs" | "untilMs">;

function isOf({ project, environment, experiment, fromMs, untilMs }: Subject): string {
  const end = untilMs === undefined ? "" : ` and ${AT_MS} < ${Math.trunc(untilMs)}`;
  return `project = ${text(project)} and environment = ${text(environment)} and experiment = ${text(experiment)}
    and ${AT_MS} >= ${Math.trunc(fromMs)}${end}`;
}
