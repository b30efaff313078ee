import type { EpochMs } from "@belay/protocol";
import { ProblemError } from "../http/problem.ts";
import type { ProjectState } from "../state/workspace.ts";
import { isRoutedTo } from "../webhooks/message.ts";
import type { Send } from "../webhooks/sender.ts";
import { sendTest } from "../webhooks/test-message.ts";

/**
 * Sends a test alert by a route that one of the project's webhooks carries. A route that nothing here sends by (mail, a channel) is
 * left to the person who says that it arrived.
 *
 * @throws ProblemError `invalid_field` when the receiver did not take it: then nothing is evidence
 */
export async function testAlert(
  send: Send,
  { key: project, webhooks }: Pick<ProjectState, "key" | "webhooks">,
  route: string,
  { requestId, at }: { readonly requestId: string; readonly at: EpochMs },
): Promise<void> {
  const carrier = [...webhooks].find(([key, { body }]) => isRoutedTo([route], key, body));
  if (carrier === undefined) return;
  const [webhook, { body: document }] = carrier;
  const { fault } = await sendTest(send, { project, webhook, document, requestId, at });
  if (fault === undefined) return;
  const reason = `the test message to the webhook ${webhook} did not arrive: ${fault}`;
  throw new ProblemError("invalid_field", { field: "route", received: route, reason });
}
