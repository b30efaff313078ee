import type { Change, Json } from "@belay/protocol";
import { releaseSentence } from "../releases/messages.ts";
import type { WebhookDocument } from "../state/workspace.ts";

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
    text: releaseSentence(change) ?? sentenceOf(change),
    data: change as unknown as Json,
  };
}

function sentenceOf({ actor, action, target, project, environment, revision, reason }: Change): string {
  const place = environment === undefined ? project : `${project}/${environment}`;
  const why = reason === undefined ? "" : `: ${reason}`;
  return `${actor.name} made \`${action}\` on ${target.kind} \`${target.key}\` in ${place}, revision ${revision}${why}`;
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
