import { createHmac } from "node:crypto";
import type { EpochMs } from "@belay/protocol";
import type { FillRandom } from "../flags/salts.ts";
import type { SigningSecret } from "../state/workspace.ts";

/**
 * Signatures as the Standard Webhooks specification 1.0.0 has them, so that receivers verify with a library they have:
 * HMAC-SHA-256 over `id.timestamp.body`, base64, with the bytes that the secret's text after `whsec_` encodes.
 */

const PREFIX = "whsec_";
const SECRET_BYTES = 24;

export function newSigningSecret(fill: FillRandom): string {
  return PREFIX + Buffer.from(fill(new Uint8Array(SECRET_BYTES))).toString("base64");
}

/**
 * The headers that let a receiver know who sent a body, and when. One signature for each secret in use.
 *
 * @param atMs time of this try; receivers refuse messages minutes away from their own clock.
 * @example
 * signatureHeaders("msg_1", '{"type":"flag.edit"}', Date.now(), [{ secret: "whsec_c2VjcmV0" }]);
 */
export function signatureHeaders(
  id: string,
  body: string,
  atMs: EpochMs,
  secrets: readonly SigningSecret[],
): { "webhook-id": string; "webhook-timestamp": string; "webhook-signature": string } {
  const timestamp = String(Math.floor(atMs / 1_000));
  const signatures = secrets
    .filter(({ until }) => until === undefined || until > atMs)
    .map(({ secret }) => `v1,${sign(`${id}.${timestamp}.${body}`, secret)}`);
  return { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signatures.join(" ") };
}

function sign(text: string, secret: string): string {
  return createHmac("sha256", Buffer.from(secret.slice(PREFIX.length), "base64"))
    .update(text)
    .digest("base64");
}
