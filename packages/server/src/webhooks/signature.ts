import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
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

/** Stamps so far from now are of another message, said again. */
const TOLERANCE_MS = 5 * 60_000;

/** Stands where there is no secret, so that time tells nothing. */
const NO_SECRET = `${PREFIX}${Buffer.alloc(SECRET_BYTES).toString("base64")}`;

/**
 * Did somebody who has the secret send this? Signed as above, or with the secret as the bearer, for tools that cannot sign.
 * Takes as long without a secret, to which nothing fits.
 */
export function isSigned(headers: IncomingHttpHeaders, body: string, secret: string | undefined, now: EpochMs): boolean {
  const { authorization = "" } = headers;
  const [id, stamp, given] = ["webhook-id", "webhook-timestamp", "webhook-signature"].map((name) => String(headers[name] ?? ""));
  const expected = `v1,${sign(`${id}.${stamp}.${body}`, secret ?? NO_SECRET)}`;
  const isFresh = Math.abs(now - Number(stamp) * 1_000) <= TOLERANCE_MS;
  const signatures = (given ?? "").split(" ").slice(0, SIGNATURES_MAX);
  const fits = signatures.filter((signature) => isSame(signature, expected)).length > 0;
  const isBearer = isSame(authorization, `Bearer ${secret ?? NO_SECRET}`);
  return secret !== undefined && (isBearer || (fits && isFresh));
}

const SIGNATURES_MAX = 4;

/** Compares hashes: texts of other lengths take as long. */
function isSame(a: string, b: string): boolean {
  const [hashA, hashB] = [a, b].map((text) => createHash("sha256").update(text).digest()) as [Buffer, Buffer];
  return timingSafeEqual(hashA, hashB);
}

function sign(text: string, secret: string): string {
  return createHmac("sha256", Buffer.from(secret.slice(PREFIX.length), "base64"))
    .update(text)
    .digest("base64");
}
