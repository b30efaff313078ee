import type { AlertRouteReport, DeliveryStatus } from "@belay/protocol";
import type { ProjectState, WebhookDocument } from "../state/workspace.ts";
import { isFor, isRoutedTo } from "../webhooks/message.ts";

/**
 * Where an experiment's alarms go, and who carries them there: this server sends to webhooks and to nothing else. A Slack channel
 * is reached by any webhook in Slack's format that wants alarms.
 */

export const ALARM = "experiment.alarm";
export const CALM = "experiment.calm";

type Webhooks = Pick<ProjectState, "webhooks">;

interface Routed {
  readonly route: string;
  readonly environment: string;
}

/** The webhook that carries a route's alarms; absent where there is none. */
export function carrierOf({ webhooks }: Webhooks, { route, environment }: Routed): string | undefined {
  return [...webhooks].find(([key, { body }]) => isRoutedTo([route], key, body) || isChannel(route, body, environment))?.[0];
}

function isChannel(route: string, webhook: WebhookDocument, environment: string): boolean {
  return route.startsWith("slack:") && webhook.format === "slack" && isFor(webhook, { type: ALARM, environments: [environment] });
}

/** A route is dead that nothing carries to, or whose carrier was given up on. `last`: what became of its last message. */
export function alertRouteReport(project: Webhooks, routed: Routed, last: DeliveryStatus | undefined): AlertRouteReport {
  const { route } = routed;
  const dead = (reason: string): AlertRouteReport => ({ route, isDead: true, reason });
  const carrier = carrierOf(project, routed);
  if (carrier === undefined) return dead(missing(project, route));
  return last === "dead" ? dead(`the last message to the webhook ${carrier} was given up`) : { route, isDead: false };
}

function missing({ webhooks }: Webhooks, route: string): string {
  if (route.startsWith("mailto:")) return "this server sends no mail: let the route be a webhook";
  if (route.startsWith("slack:")) return "no webhook in Slack's format is told of experiment.alarm";
  const key = route.startsWith("webhook:") ? route.slice("webhook:".length) : undefined;
  if (key === undefined) return "no webhook that is switched on sends there";
  return webhooks.has(key) ? `the webhook ${key} is switched off` : `the webhook ${key} is not there`;
}
