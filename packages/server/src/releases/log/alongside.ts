/* What else there was while a release was live: incidents, and other releases and experiments with their arms. Pure. */
import type { EpochMs, LoggedIncident, Neighbour, VariantName } from "@belay/protocol";
import type { ProjectState, ReleaseDocument } from "../../state/workspace.ts";
import type { EventQuery } from "../../store/events/index.ts";
import { armOf, armsOf } from "../placement.ts";
import type { ReleaseId } from "../watchtower.ts";
import type { Other } from "./interference.ts";

export interface Stretch {
  readonly from: EpochMs;
  readonly to: EpochMs;
  /** The moment the log is of: what ended later had no end then. */
  readonly at: EpochMs;
}

export function incidentsWithin({ incidents }: ProjectState, { environment }: ReleaseId, span: Stretch): LoggedIncident[] {
  return [...incidents].flatMap(([incident, { body }]) => {
    const isThere = body.environment === undefined || body.environment === environment;
    if (!isThere || !overlaps(body, span)) return [];
    const { reason, from, to } = body;
    return [{ incident, reason, from, ...endBy(to, span.at) }];
  });
}

/** The experiment that is ramped is none: it is what the log is of. */
export function neighboursOf(
  { environments, experiments }: ProjectState,
  { environment, key }: ReleaseId,
  { experiment }: ReleaseDocument,
  span: Stretch,
): Neighbour[] {
  const live = (kind: Neighbour["kind"], name: string, from: string | undefined, to: string | undefined): Neighbour[] =>
    from === undefined || !overlaps({ from, ...(to === undefined ? {} : { to }) }, span)
      ? []
      : [{ kind, key: name, from, ...endBy(to, span.at) }];
  const releases = [...(environments.get(environment)?.releases ?? [])].filter(([name]) => name !== key);
  const there = [...experiments].filter(([name, { body }]) => name !== experiment && body.environment === environment);
  return [
    ...releases.flatMap(([name, { body }]) => live("release", name, body.startedAt, body.endedAt)),
    ...there.flatMap(([name, { body }]) => live("experiment", name, body.startedAt, body.stoppedAt)),
  ];
}

export interface Asking extends Other {
  readonly asked: Pick<EventQuery, "release" | "experiment" | "fromMs">;
  /** The arm a recorded variant stands for there, control 0; negative: none. */
  readonly armOf: (variant: VariantName) => number;
}

/** What else was live, as it recorded its units; a ramp of an experiment recorded none but the experiment's. */
export function otherOf(
  { environments, experiments }: ProjectState,
  environment: string,
  { kind, key, from }: Neighbour,
): Asking[] {
  const fromMs = Date.parse(from);
  if (kind === "experiment") {
    const body = experiments.get(key)?.body;
    const arms = body === undefined ? [] : [body.control, ...body.treatments];
    return [{ kind, key, arms, asked: { experiment: key, fromMs }, armOf: (variant) => arms.indexOf(variant) }];
  }
  const body = environments.get(environment)?.releases.get(key)?.body;
  if (body === undefined || body.experiment !== undefined) return [];
  return [{ kind, key, arms: armsOf(body), asked: { release: key, fromMs }, armOf: (variant) => armOf(body, variant) }];
}

function endBy(to: string | undefined, at: EpochMs): { readonly to?: string } {
  return to === undefined || Date.parse(to) > at ? {} : { to };
}

function overlaps({ from, to }: { readonly from: string; readonly to?: string }, span: Stretch): boolean {
  return Date.parse(from) <= span.to && (to === undefined || Date.parse(to) >= span.from);
}
