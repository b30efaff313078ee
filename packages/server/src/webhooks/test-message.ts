import type { EpochMs } from "@belay/protocol";
import type { WebhookDocument } from "../state/workspace.ts";
import { bodyOf } from "./message.ts";
import type { Send, Sent } from "./sender.ts";
import { signatureHeaders } from "./signature.ts";

export interface TestOf {
  readonly project: string;
  readonly webhook: string;
  readonly document: WebhookDocument;
  readonly requestId: string;
  readonly at: EpochMs;
}

/** Sends a test message of a webhook now, signed as its others are, and says what became of it. */
export async function sendTest(
  send: Send,
  { project, webhook, document, requestId, at }: TestOf,
): Promise<Sent & { readonly id: string }> {
  const id = `msg_${project}_${webhook}_test_${requestId}`;
  const text = `A test message of webhook ${webhook} in project ${project}`;
  const notice = { id, type: "webhook.test", project, environments: [], at: new Date(at).toISOString(), text, data: {} };
  const body = bodyOf(document, notice);
  return { id, ...(await send(document.url, signatureHeaders(id, body, at, document.secrets), body)) };
}
