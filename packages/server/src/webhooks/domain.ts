import type { EpochMs, Webhook, WebhookCreated, WebhookCreation, WebhookEdit } from "@belay/protocol";
import { type Decision, type Refusal, refuse } from "../control/decision.ts";
import { deleteProjectDocument, writeProjectDocument } from "../control/project-document.ts";
import type { Held, ProjectState, SigningSecret, WebhookDocument } from "../state/workspace.ts";

/** Rules of webhooks: pure, `(state, command) -> decision`. A webhook raises its project, never what SDKs hold. */

/** A receiver has so long to learn a new secret: until then messages carry a signature by each. */
const ROTATION_OVERLAP_MS: number = 24 * 3_600_000;

export function webhookView(project: string, key: string, { body, revision }: Held<WebhookDocument>): Webhook {
  const { secrets: _, ...shown } = body;
  return { project, key, ...shown, revision };
}

export function createWebhook(
  project: ProjectState,
  { key, name = key, url, types = [], environments = [], format = "json" }: WebhookCreation,
  secret: string,
  createdAt: string,
): Decision<WebhookCreated> {
  if (project.webhooks.has(key)) return refuse("already_exists", { field: "key", key });
  const body: WebhookDocument = { name, url, types, environments, format, enabled: true, secrets: [{ secret }], createdAt };
  return write(project, key, undefined, body, "webhook.create", (view) => ({ ...view, secret }));
}

export function editWebhook(project: ProjectState, key: string, edit: WebhookEdit): Decision<Webhook> {
  const held = project.webhooks.get(key);
  if (held === undefined) return refuse("webhook_not_found", { key });
  const { reason: _, ...fields } = edit;
  const given = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
  return write(project, key, held, { ...held.body, ...given }, "webhook.edit", (view) => view);
}

/** A new secret beside the one of now, which goes on signing for a day. */
export function rotateSecret(project: ProjectState, key: string, secret: string, now: EpochMs): Decision<WebhookCreated> {
  const held = project.webhooks.get(key);
  if (held === undefined) return refuse("webhook_not_found", { key });
  const [current] = held.body.secrets;
  const secrets: SigningSecret[] = [{ secret }];
  if (current !== undefined) secrets.push({ secret: current.secret, until: now + ROTATION_OVERLAP_MS });
  return write(project, key, held, { ...held.body, secrets }, "webhook.rotate", (view) => ({ ...view, secret }));
}

export function deleteWebhook(project: ProjectState, key: string): Decision<undefined> {
  const held = project.webhooks.get(key);
  if (held === undefined) return refuse("webhook_not_found", { key });
  return deleteProjectDocument(project, { kind: "webhook", key, action: "webhook.delete", before: held, shown });
}

/** What is wrong with the parts of a webhook that a schema cannot judge. */
export function refuseParts(
  project: ProjectState,
  { url, environments = [] }: Pick<WebhookEdit, "url" | "environments">,
): Refusal | undefined {
  const reason = url === undefined ? undefined : faultOf(url);
  if (reason !== undefined) return refuse("invalid_field", { field: "url", received: url ?? "", reason });
  const unknown = environments.find((environment) => !project.environments.has(environment));
  if (unknown === undefined) return undefined;
  return refuse("environment_not_found", { field: "environments", key: unknown, allowed: [...project.environments.keys()] });
}

function faultOf(url: string): string | undefined {
  if (!URL.canParse(url)) return "it must be an absolute address";
  const { protocol, username, password } = new URL(url);
  if (!/^https?:$/.test(protocol)) return "it must begin with https:// or http://";
  return username + password === "" ? undefined : "it must not hold a user name or password: whoever reads it would see them";
}

function write<A>(
  project: ProjectState,
  key: string,
  before: Held<WebhookDocument> | undefined,
  after: WebhookDocument,
  action: string,
  answer: (view: Webhook) => A,
): Decision<A> {
  const view = (held: Held<WebhookDocument>): A => answer(webhookView(project.key, key, held));
  return writeProjectDocument(project, { kind: "webhook", key, action, before, after, view, shown });
}

function shown({ secrets: _, ...rest }: WebhookDocument): object {
  return rest;
}
