/*
 * Rules of change requests: pure, `(state, command) -> decision`. A request is a document of its project and raises no
 * environment; when it is made, its edit and its end are one change.
 */
import type { CompileOptions } from "@belay/core";
import type { Approval, ChangeRequest, EpochMs, Person, RequestDraft, RequestEnd, WallTime } from "@belay/protocol";
import { outlook } from "../control/consequence.ts";
import { asJson, type Decision, type Edit, type Refusal, refuse } from "../control/decision.ts";
import { writeProjectDocument } from "../control/project-document.ts";
import { projectStream } from "../control/streams.ts";
import { projectOf } from "../http/params.ts";
import type { Held, ProjectState, RequestDocument, Workspace } from "../state/workspace.ts";
import type { DocumentWrite } from "../store/changes/index.ts";
import { changesOf, hashOf } from "./content.ts";
import { approvalsDemanded } from "./guard.ts";
import type { Decide } from "./operations.ts";
import { after, eventsOf, isPending, type RequestEvent } from "./states.ts";
import { momentOf } from "./wall-time.ts";

/** Where a request is, on which state it is decided, and what it comes to there. */
export interface Desk {
  readonly workspace: Workspace;
  readonly now: EpochMs;
  readonly project: string;
  readonly environment: string;
  readonly decide: Decide;
  readonly compile: CompileOptions;
}

export function requestView(project: string, id: string, { body, revision }: Held<RequestDocument>): ChangeRequest {
  const { schedule, ...shown } = body;
  const due = schedule === undefined ? undefined : momentOf(schedule);
  return {
    id,
    project,
    ...shown,
    ...(schedule === undefined ? {} : { schedule: { ...schedule, due: timeText(typeof due === "number" ? due : 0) } }),
    revision,
  };
}

/** Asks for an edit. What needs no approval and has a time waits for that at once. */
export function createRequest(
  desk: Desk,
  { operation, key, body = {}, schedule, reason }: RequestDraft,
  { id, author }: { readonly id: string; readonly author: Person },
): Decision<ChangeRequest> {
  const asked = {
    operation,
    environment: desk.environment,
    ...(key === undefined ? {} : { key }),
    body: asJson(body),
    author,
    ...(reason === undefined ? {} : { reason }),
    createdAt: timeText(desk.now),
    ...(schedule === undefined ? {} : { schedule }),
    approvals: [],
  };
  const wrongTime = faultOfSchedule(schedule, desk.now);
  if (wrongTime !== undefined) return wrongTime;
  const weighed = weigh(desk, asked);
  if ("code" in weighed) return weighed;
  const request: RequestDocument = { ...asked, ...weighed, state: weighed.needed === 0 ? "scheduled" : "open" };
  return write(desk, id, undefined, request, "request.create");
}

/** Another body or another time, by its author: a new content, which nobody has approved. */
export function editRequest(
  desk: Desk,
  id: string,
  { body, schedule, reason, by }: Pick<RequestDraft, "body" | "schedule" | "reason"> & { readonly by: Person },
): Decision<ChangeRequest> {
  const held = requestIn(desk, id, "edit");
  if ("code" in held) return held;
  if (by.id !== held.body.author.id) return refuse("forbidden", { needed: "being its author" });
  const wrongTime = faultOfSchedule(schedule, desk.now);
  if (wrongTime !== undefined) return wrongTime;
  const asked = {
    ...held.body,
    ...(body === undefined ? {} : { body: asJson(body) }),
    ...(schedule === undefined ? {} : { schedule }),
    ...(reason === undefined ? {} : { reason }),
  };
  const weighed = weigh(desk, asked);
  if ("code" in weighed) return weighed;
  const isSame = weighed.hash === held.body.hash;
  const approvals = isSame ? held.body.approvals : [];
  const state = isSame ? held.body.state : weighed.needed === 0 ? "scheduled" : "open";
  return write(desk, id, held, { ...asked, ...weighed, approvals, state }, "request.edit");
}

/** Approves what the hash names. The last approval it takes makes it, or lets it wait for its time. */
export function approveRequest(
  desk: Desk,
  id: string,
  { hash, by }: { readonly hash: string; readonly by: Person },
): Decision<ChangeRequest> {
  const held = requestIn(desk, id, "approve");
  if ("code" in held) return held;
  const { body } = held;
  if (by.id === body.author.id) return refuse("approval_by_author", { key: id });
  const weighed = weigh(desk, body);
  if ("code" in weighed) return weighed;
  if (hash !== body.hash || weighed.hash !== body.hash) return refuse("plan_changed", { field: "hash", received: hash });
  const approvals: Approval[] = body.approvals.some((given) => given.id === by.id)
    ? [...body.approvals]
    : [...body.approvals, { ...by, at: timeText(desk.now) }];
  const approved: RequestDocument = { ...body, approvals, needed: weighed.needed };
  if (approvals.length < weighed.needed) return write(desk, id, held, approved, "request.approve");
  if (body.schedule !== undefined) return write(desk, id, held, { ...approved, state: "scheduled" }, "request.approve");
  return carryOut(desk, id, held, approved, []);
}

/** Ends a request: somebody else says no, it is taken back, or what it would do is not what was looked at. */
export function endRequest(
  desk: Omit<Desk, "decide">,
  id: string,
  event: RequestEvent & ("reject" | "withdraw" | "drift" | "fail"),
  end: Omit<RequestEnd, "at">,
): Decision<ChangeRequest> {
  const held = requestIn(desk, id, event);
  if ("code" in held) return held;
  if (event === "reject" && end.by?.id === held.body.author.id) return refuse("approval_by_author", { key: id });
  const state = after(held.body.state, event) ?? held.body.state;
  // What was approved is no longer there: approvals of a void request are gone.
  const approvals = event === "drift" ? [] : held.body.approvals;
  const ended: RequestDocument = { ...held.body, state, approvals, end: { at: timeText(desk.now), ...end } };
  return write(desk, id, held, ended, `request.${event === "drift" ? "void" : event}`);
}

/**
 * Makes a scheduled request whose time has come.
 *
 * @param superseded earlier ones that set the same and came due with it: they end in the same change.
 */
export function fireRequest(desk: Desk, id: string, superseded: readonly string[]): Decision<ChangeRequest> {
  const held = requestIn(desk, id, "apply");
  if ("code" in held) return held;
  const { body } = held;
  if (body.state === "open") {
    return refuse("approval_required", { environment: body.environment, needed: body.needed });
  }
  if (hasDrifted(desk, body)) return refuse("plan_changed", { field: "hash", received: body.hash });
  return carryOut(desk, id, held, body, superseded);
}

/** Is what a request that people approve would do no longer what they look at? */
export function hasDrifted(desk: Desk, request: RequestDocument): boolean {
  if (request.needed === 0) return false;
  const weighed = weigh(desk, request);
  return "code" in weighed || weighed.hash !== request.hash;
}

/** Requests of a project that may still be made. */
export function pendingRequests({ requests }: ProjectState): [string, RequestDocument][] {
  return [...requests].flatMap(([id, { body }]) => (isPending(body.state) ? [[id, body] as [string, RequestDocument]] : []));
}

interface Weighed {
  readonly changes: ChangeRequest["changes"];
  readonly hash: string;
  readonly needed: number;
}

/** What a request would do now, and whose word that takes. Times in it are those of its making, so that equal is equal. */
function weigh(
  { workspace, decide, compile, project }: Desk,
  request: Pick<RequestDocument, "operation" | "environment" | "key" | "body" | "schedule" | "createdAt">,
): Weighed | Refusal {
  const isForLater = request.schedule !== undefined;
  const decision = decide(workspace, Date.parse(request.createdAt));
  if (decision.kind === "refused") return decision;
  if (decision.kind === "unchanged") {
    if (!isForLater) return refuse("invalid_field", { field: "body", reason: "all of it is so already" });
    return { changes: [], hash: hashOf(request, []), needed: 0 };
  }
  const next = outlook(workspace, decision, compile);
  if ("code" in next) return next;
  const demanded = approvalsDemanded(workspace, next, decision.documents)?.needed ?? 0;
  const changes = changesOf(projectOf(workspace, project), decision);
  return { changes, hash: hashOf(request, changes), needed: isForLater ? demanded : Math.max(1, demanded) };
}

/** The edit and the end of its request in one change, whose audit row names author and approvers. */
function carryOut(
  desk: Desk,
  id: string,
  held: Held<RequestDocument>,
  request: RequestDocument,
  superseded: readonly string[],
): Decision<ChangeRequest> {
  const decision = desk.decide(desk.workspace, desk.now);
  if (decision.kind === "refused") return decision;
  const project = projectOf(desk.workspace, desk.project);
  const end = { at: timeText(desk.now) };
  const applied: RequestDocument = { ...request, state: "applied", end };
  const others = superseded.flatMap((other) => supersededWrite(project, other, end));
  if (decision.kind === "unchanged") {
    const written = write(desk, id, held, applied, "request.apply");
    return written.kind === "edit" ? { ...written, documents: [...written.documents, ...others] } : written;
  }
  const { author, reason, approvals } = request;
  const own = projectStream(project);
  const isRaised = decision.raises.some((stream) => stream.environment === undefined && stream.project === own.project);
  const revision = project.revision + 1;
  const edit: Edit<ChangeRequest> = {
    ...decision,
    raises: isRaised ? decision.raises : [...decision.raises, own],
    documents: [...decision.documents, requestWrite(project, id, applied), ...others],
    answer: requestView(project.key, id, { body: applied, revision }),
    revision,
    approved: { author, ...(reason === undefined ? {} : { reason }), approvals },
  };
  return edit;
}

function supersededWrite(project: ProjectState, id: string, end: RequestEnd): DocumentWrite[] {
  const body = project.requests.get(id)?.body;
  const state = body === undefined ? undefined : after(body.state, "supersede");
  return body === undefined || state === undefined ? [] : [requestWrite(project, id, { ...body, state, end })];
}

function requestWrite(project: ProjectState, id: string, body: RequestDocument): DocumentWrite {
  return { kind: "request", project: project.key, key: id, body: asJson(body) };
}

/** A request of the environment that takes the event now. */
function requestIn({ workspace, ...at }: Omit<Desk, "decide">, id: string, event: RequestEvent): Held<RequestDocument> | Refusal {
  const held = projectOf(workspace, at.project).requests.get(id);
  if (held === undefined || held.body.environment !== at.environment) return refuse("request_not_found", { key: id });
  const { state } = held.body;
  if (after(state, event) !== undefined) return held;
  return refuse("request_state", { key: id, state, command: event, allowed: eventsOf(state) });
}

function write(
  { workspace, project }: Omit<Desk, "decide">,
  key: string,
  before: Held<RequestDocument> | undefined,
  body: RequestDocument,
  action: string,
): Decision<ChangeRequest> {
  return writeProjectDocument(projectOf(workspace, project), {
    kind: "request",
    key,
    action,
    before,
    after: body,
    view: (held) => requestView(project, key, held),
  });
}

function faultOfSchedule(schedule: WallTime | undefined, now: EpochMs): Refusal | undefined {
  if (schedule === undefined) return undefined;
  const due = momentOf(schedule);
  if (typeof due !== "number") {
    return refuse("invalid_field", { field: `schedule.${due.field}`, received: schedule[due.field], reason: due.reason });
  }
  const isPast = due <= now;
  return isPast ? refuse("invalid_field", { field: "schedule.at", received: schedule.at, reason: "it is over" }) : undefined;
}

const timeText = (ms: number): string => new Date(ms).toISOString();
