/* Crisis mode: one switch with a reason, and what to take back first. Pure. */
import { type EpochMs, type Freeze, SPACE_PPM, type Suspect } from "@belay/protocol";
import { asJson, type Decision, refuse } from "../control/decision.ts";
import { allStreams, projectStream } from "../control/streams.ts";
import type { FreezeDocument, IncidentDocument, ProjectState } from "../state/workspace.ts";
import type { DocumentWrite } from "../store/changes/index.ts";
import { exposedPpm, isMovedBy } from "./exposure.ts";
import { openWindow } from "./gather.ts";
import { ppmOf } from "./plan.ts";
import { isLive } from "./states.ts";

const HOUR_MS = 3_600_000;

export function freezeView({ key, freeze }: ProjectState): Freeze {
  const windows = freeze?.body.windows ?? [];
  const { secondPerson = false } = freeze?.body ?? {};
  return { project: key, active: openWindow(freeze?.body) !== undefined, windows, secondPerson, revision: freeze?.revision ?? 0 };
}

/** Freezes a project. What was decided on the state before it, on any node, is decided again: it raises every stream. */
export function enterFreeze(project: ProjectState, reason: string, by: Person, from: string): Decision<Freeze> {
  if (openWindow(project.freeze?.body) !== undefined) return unchanged(project);
  const windows = project.freeze?.body.windows ?? [];
  return write(project, [...windows, { from, reason, by: by.name, byId: by.id }], "freeze.enter");
}

/** Who enters a freeze or leaves it. */
interface Person {
  readonly id: string;
  readonly name: string;
}

export function leaveFreeze(project: ProjectState, by: Person, to: string): Decision<Freeze> {
  const open = openWindow(project.freeze?.body);
  if (open === undefined) return unchanged(project);
  if (project.freeze?.body.secondPerson === true && open.byId === by.id)
    return refuse("second_person_needed", { person: open.by });
  const windows = (project.freeze?.body.windows ?? []).slice(0, -1);
  return write(project, [...windows, { ...open, to, endedBy: by.name }], "freeze.leave");
}

/** Says whether leaving a freeze takes somebody else than whoever entered it. Not while it is on: it would undo itself. */
export function setSecondPerson(project: ProjectState, secondPerson: boolean): Decision<Freeze> {
  if ((project.freeze?.body.secondPerson ?? false) === secondPerson) return unchanged(project);
  const open = openWindow(project.freeze?.body);
  if (open !== undefined) return refuse("second_person_needed", { person: open.by });
  const body: FreezeDocument = { windows: project.freeze?.body.windows ?? [], secondPerson };
  const revision = project.revision + 1;
  return {
    kind: "edit",
    action: "freeze.policy",
    stream: { project: project.key },
    target: { kind: "freeze", key: "freeze" },
    raises: [projectStream(project)],
    documents: [{ kind: "freeze", project: project.key, key: "freeze", body: asJson(body) }],
    before: asJson({ secondPerson: !secondPerson }),
    after: asJson({ secondPerson }),
    answer: freezeView({ ...project, freeze: { body, revision } }),
    revision,
  };
}

/**
 * Releases that raised exposure at or after a moment, by reach x recency: the first one to take back first. Those that are done
 * are among them, for as long as the flag gives what they left it with.
 */
export function suspects(project: ProjectState, since: EpochMs, now: EpochMs): Suspect[] {
  const found: Suspect[] = [];
  for (const [environment, { releases, targetings }] of project.environments) {
    for (const [release, { body }] of releases) {
      const raised = body.epochs.at(-1);
      const targeting = targetings.get(body.flag)?.body;
      if (raised === undefined || targeting === undefined || Date.parse(raised.from) < since) continue;
      if (!isLive(body.state) && !(body.state === "done" && isMovedBy(targeting, release, body))) continue;
      // Whoever lowered it by hand meanwhile took some of it back already.
      const share = Math.min(ppmOf(body, raised.stage), exposedPpm(targeting, body)) / SPACE_PPM;
      const weight = share * 0.5 ** ((now - Date.parse(raised.from)) / HOUR_MS);
      found.push({ environment, release, flag: body.flag, percentage: 100 * share, raisedAt: raised.from, weight });
    }
  }
  return found.sort((a, b) => b.weight - a.weight || (a.release < b.release ? -1 : 1));
}

function write(project: ProjectState, windows: FreezeDocument["windows"], action: string): Decision<Freeze> {
  const body: FreezeDocument = { ...project.freeze?.body, windows };
  const revision = project.revision + 1;
  return {
    kind: "edit",
    action,
    stream: { project: project.key },
    target: { kind: "freeze", key: "freeze" },
    raises: allStreams(project),
    documents: [{ kind: "freeze", project: project.key, key: "freeze", body: asJson(body) }, incidentOf(project.key, windows)],
    ...(project.freeze === undefined ? {} : { before: asJson(project.freeze.body) }),
    after: asJson(body),
    answer: freezeView({ ...project, freeze: { body, revision } }),
    revision,
  };
}

/** The window as an incident: experiments report with it, without it, and whether it changed the effect. */
function incidentOf(project: string, windows: FreezeDocument["windows"]): DocumentWrite {
  const { from = "", to, reason = "" } = windows.at(-1) ?? {};
  const body: IncidentDocument = { reason, from, ...(to === undefined ? {} : { to }) };
  return { kind: "incident", project, key: `freeze-${windows.length}`, body: asJson(body) };
}

function unchanged(project: ProjectState): Decision<Freeze> {
  return { kind: "unchanged", answer: freezeView(project), revision: project.freeze?.revision ?? 0 };
}

/** What a person asks to have taken back must be among what was raised since. */
export function chosen(all: readonly Suspect[], wanted: readonly string[] | undefined): Suspect[] | ReturnType<typeof refuse> {
  if (wanted === undefined) return [...all];
  const unknown = wanted.find((key) => !all.some(({ release }) => release === key));
  return unknown === undefined
    ? all.filter(({ release }) => wanted.includes(release))
    : refuse("release_not_found", { key: unknown });
}
