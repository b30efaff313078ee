import type { Incident, IncidentDraft } from "@belay/protocol";
import { type Decision, refuse } from "../control/decision.ts";
import { writeProjectDocument } from "../control/project-document.ts";
import { momentOf, NO_MOMENT } from "../http/times.ts";
import type { Held, IncidentDocument, ProjectState } from "../state/workspace.ts";

/** Rules of incidents: pure, `(state, command) -> decision`. An incident may be told of long after it was. */

export function incidentView(project: string, key: string, { body, revision }: Held<IncidentDocument>): Incident {
  return { project, key, ...body, revision };
}

export function recordIncident(
  project: ProjectState,
  { key, environment, from, to, reason }: IncidentDraft,
  now: string,
): Decision<Incident> {
  if (project.incidents.has(key)) return refuse("already_exists", { field: "key", key });
  if (environment !== undefined && !project.environments.has(environment)) {
    return refuse("environment_not_found", { field: "environment", key: environment, allowed: [...project.environments.keys()] });
  }
  const [fromText, toText] = [timeText(from ?? now), to === undefined ? undefined : timeText(to)];
  if (fromText === undefined) return refuse("invalid_field", { field: "from", received: from ?? null, reason: NO_MOMENT });
  if (to !== undefined && toText === undefined) return refuse("invalid_field", { field: "to", received: to, reason: NO_MOMENT });
  if (toText !== undefined && toText <= fromText) {
    return refuse("invalid_field", { field: "to", received: to ?? null, reason: "it ends before it begins" });
  }
  const after: IncidentDocument = {
    reason,
    from: fromText,
    ...(toText === undefined ? {} : { to: toText }),
    ...(environment === undefined ? {} : { environment }),
  };
  return write(project, key, undefined, after, "incident.record");
}

/** Over now; nothing to do where it was over already. One that was to begin later never was: it takes no time at all. */
export function endIncident(project: ProjectState, key: string, now: string): Decision<Incident> {
  const held = project.incidents.get(key);
  if (held === undefined) return refuse("incident_not_found", { key });
  const { from, to = now < from ? from : now } = held.body;
  return write(project, key, held, { ...held.body, to }, "incident.end");
}

function timeText(text: string): string | undefined {
  const ms = momentOf(text);
  return ms === undefined ? undefined : new Date(ms).toISOString();
}

function write(
  project: ProjectState,
  key: string,
  before: Held<IncidentDocument> | undefined,
  after: IncidentDocument,
  action: string,
): Decision<Incident> {
  const view = (held: Held<IncidentDocument>): Incident => incidentView(project.key, key, held);
  return writeProjectDocument(project, { kind: "incident", key, action, before, after, view });
}
