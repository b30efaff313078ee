import type { Change, Json, QualityAlarm, Release } from "@belay/protocol";
import { releaseSentence } from "../releases/messages.ts";
import type { LooksDocument, WebhookDocument } from "../state/workspace.ts";

/** Something a project's webhooks are told. */
export interface Notice {
  /** Its place in the audit log, or another name that is unique in the project: told twice, it is sent once. */
  readonly id: string;
  /** As an audit action: `flag.edit`, `release.rolled-back`. */
  readonly type: string;
  readonly project: string;
  /** Environments it concerns; none: the project as a whole. */
  readonly environments: readonly string[];
  /** RFC 3339. */
  readonly at: string;
  /** One line for people. */
  readonly text: string;
  readonly data: Json;
  /** Who are told whatever they asked for: `webhook:<key>`, or the address of one. */
  readonly to?: readonly string[];
}

/** What a change tells: the audit row as the API shows it. */
export function noticeOf(change: Change): Notice | undefined {
  if (change.project === undefined) return undefined;
  return {
    id: String(change.id),
    type: change.action,
    project: change.project,
    environments: change.environment === undefined ? [] : [change.environment],
    at: change.at,
    text: releaseSentence(change) ?? alarmSentence(change) ?? sentenceOf(change),
    data: change as unknown as Json,
    ...alertedRoutes(change),
  };
}

function sentenceOf({ actor, action, target, project, environment, revision, reason }: Change): string {
  const place = environment === undefined ? project : `${project}/${environment}`;
  const why = reason === undefined ? "" : `: ${reason}`;
  return `${actor.name} made \`${action}\` on ${target.kind} \`${target.key}\` in ${place}, revision ${revision}${why}`;
}

/** An experiment whose numbers cannot be trusted any more, or can again. */
function alarmSentence({ action, target, project, after }: Change): string | undefined {
  if (action === "experiment.calm") return `Experiment \`${target.key}\` of ${project}: its data can be trusted again.`;
  const alarm = action === "experiment.alarm" ? alarmIn(after) : undefined;
  return alarm === undefined
    ? undefined
    : `Experiment \`${target.key}\` of ${project}: its data cannot be trusted. ${alarm.sentence}`;
}

function alertedRoutes({ action, before, after }: Change): Pick<Notice, "to"> {
  if (RELEASE_ALERTS.includes(action)) return { to: (after as unknown as Release | undefined)?.alertRoutes ?? [] };
  if (action !== "experiment.alarm" && action !== "experiment.calm") return {};
  const route = (alarmIn(after) ?? alarmIn(before))?.route;
  return route === undefined ? {} : { to: [route] };
}

/** What the alert routes of a release are for: it stands still, goes back, or has gone. */
const RELEASE_ALERTS: readonly string[] = ["release.hold", "release.rollback", "release.rolled-back"];

const alarmIn = (looks: Change["after"]): QualityAlarm | undefined => (looks as unknown as LooksDocument | undefined)?.alarm;

/** Is it meant for this webhook by name, whatever else it is told? */
export function isRoutedTo(routes: readonly string[], key: string, { enabled, url }: WebhookDocument): boolean {
  return enabled && routes.some((route) => route === `webhook:${key}` || route === url);
}

/** Is this webhook told of it? */
export function isFor({ enabled, types, environments }: WebhookDocument, notice: Pick<Notice, "type" | "environments">): boolean {
  if (!enabled) return false;
  const isOfType = types.length === 0 || types.some((pattern) => fits(pattern, notice.type));
  const isOfPlace =
    environments.length === 0 ||
    notice.environments.length === 0 ||
    notice.environments.some((key) => environments.includes(key));
  return isOfType && isOfPlace;
}

function fits(pattern: string, type: string): boolean {
  return pattern.endsWith("*") ? type.startsWith(pattern.slice(0, -1)) : type === pattern;
}

/** The body as the webhook's receiver reads it. */
export function bodyOf({ format }: Pick<WebhookDocument, "format">, { type, at, text, data }: Notice): string {
  return JSON.stringify(format === "slack" ? { text: forSlack(text) } : { type, timestamp: at, text, data });
}

/** `&`, `<` and `>` make links and mentions in Slack's text: names that people chose must not. */
function forSlack(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
