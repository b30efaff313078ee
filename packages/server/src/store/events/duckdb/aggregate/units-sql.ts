/* Who is compared: one row a unit with what its first exposure fixed for ever. */

import { type AggregateRequest, HELD_OUT, hashAtShare, REST, type Subject } from "../../aggregate/request.ts";
import { text } from "../sql.ts";
import { MURMUR3 } from "./hash-function.ts";
import { AT_MS, MS_OF_KEY, ORDER_KEY, POSITION_OF_KEY, segmentOf } from "./selection-sql.ts";

/** Exposures that arrived after `after` and no later than `through`, by unit: the earliest, and whether variants differ. */
export function arrivedUnits({ subject, ...source }: UnitsRequest, span: Span): string {
  const seen = "holdout" in subject ? seenAnyhow(source, span) : exposuresOf(subject, source, span);
  return `select unit, min(key) as key, min(variant) as lowest, max(variant) as highest from (${seen}) group by unit`;
}

/**
 * What the first exposures of `keys` (rows of unit, key, lowest, highest) fixed. A unit is numbered by the position of that
 * exposure, which no other has: counting rows would take one thread for all of them.
 */
export function enrolled({ subject, segments }: Enrolment, keys: string): string {
  const number = `${POSITION_OF_KEY} as number`;
  if ("holdout" in subject) {
    const none = segments.map((_, index) => `, '' as s${index}`).join("");
    return `select ${number}, unit, ${armOf(subject.holdout)} as variant, 0::BIGINT as epoch, key, ${MS_OF_KEY} as start_ms,
      lowest, highest ${none} from (${keys})`;
  }
  const values = segments.map((path, index) => `, ${segmentOf(path)} as s${index}`).join("");
  return `select k.number, k.unit, e.variant, e.epoch, k.key, k.start_ms, k.lowest, k.highest ${values}
    from (select *, ${number}, ${MS_OF_KEY} as start_ms from (${keys})) k join exposures e on e.position = k.number`;
}

export interface Span {
  readonly after: number;
  readonly through: number;
  /** By their senders' clocks, uncorrected: what was made earlier is left out. */
  readonly madeFromMs?: number;
}

export type UnitsRequest = Pick<AggregateRequest, "project" | "environment" | "subject" | "fromMs" | "untilMs">;

export type Enrolment = Pick<AggregateRequest, "subject" | "segments">;

type Source = Omit<UnitsRequest, "subject">;

function exposuresOf(subject: Exclude<Subject, { holdout: unknown }>, source: Source, span: Span): string {
  const is = "experiment" in subject ? `experiment = ${text(subject.experiment)}` : `release = ${text(subject.release)}`;
  const differs = subject.isTriggered === true ? " and differs is distinct from false" : "";
  return `select unit, ${ORDER_KEY} as key, variant from exposures where ${arrivedIn(source, span)} and ${is}${differs}`;
}

/** Exposures and events of any kind; a unit has one place in a space, so it cannot meet two arms. */
function seenAnyhow(source: Source, span: Span): string {
  const from = (table: string): string =>
    `select unit, ${ORDER_KEY} as key, '' as variant from ${table} where ${arrivedIn(source, span)}`;
  return `${from("exposures")} union all ${from("metric_events")}`;
}

const armOf = ({ salt, share }: { readonly salt: string; readonly share: number }): string =>
  `case when ${MURMUR3}(${text(salt)} || unit) < ${hashAtShare(share)} then ${text(HELD_OUT)} else ${text(REST)} end`;

function arrivedIn({ project, environment, fromMs, untilMs }: Source, { after, through }: Span): string {
  const end = untilMs === undefined ? "" : ` and ${AT_MS} < ${Math.trunc(untilMs)}`;
  return `project = ${text(project)} and environment = ${text(environment)} and position > ${after} and position <= ${through}
    and ${AT_MS} >= ${Math.trunc(fromMs)}${end}`;
}
