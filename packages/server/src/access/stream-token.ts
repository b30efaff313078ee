import { createHmac, timingSafeEqual } from "node:crypto";
import type { EpochMs } from "@belay/protocol";

/**
 * What opens a stream where no header can be sent (`EventSource`): text for a URL that names its SDK key, ends by itself
 * and gives nothing but notices of change.
 *
 *     <key id> . <end, base 36 ms> . <HMAC-SHA256 over both, by the key's stored hash>
 *
 * The hash of the key signs, so that nothing is kept for a token: it outlives a restart, holds on every server of the same
 * change log, and ends with the key.
 */
export interface StreamToken {
  readonly keyId: string;
  readonly endsAtMs: EpochMs;
}

/** A token holds for one to two windows: from its making to the end of the window after. */
export const TOKEN_WINDOW_MS: number = 30 * 60_000;

/** The window a moment falls in. All tokens a key is given within one are the same text. */
export function windowOf(now: EpochMs): number {
  return Math.floor(now / TOKEN_WINDOW_MS);
}

export function makeStreamToken(keyId: string, keyHash: string, now: EpochMs): string {
  const claim = `${keyId}.${((windowOf(now) + 2) * TOKEN_WINDOW_MS).toString(36)}`;
  return `${claim}.${signatureOf(claim, keyHash)}`;
}

/** What a token says of itself, to be believed once it fits; `undefined` for any other text. */
export function readStreamToken(text: string): StreamToken | undefined {
  const match = TOKEN.exec(text);
  return match === null ? undefined : { keyId: match[1] as string, endsAtMs: Number.parseInt(match[2] as string, 36) };
}

/** Did the key of that hash sign this token? In constant time. */
export function streamTokenFits(text: string, keyHash: string): boolean {
  const cut = text.lastIndexOf(".");
  const sent = Buffer.from(text.slice(cut + 1));
  const own = Buffer.from(signatureOf(text.slice(0, cut), keyHash));
  return sent.length === own.length && timingSafeEqual(sent, own);
}

const TOKEN = /^([a-z2-7]{12})\.([0-9a-z]{1,10})\.[\w-]{43}$/;

/** The words before the claim keep this signature from ever meaning anything else. */
function signatureOf(claim: string, keyHash: string): string {
  return createHmac("sha256", keyHash).update(`belay stream token ${claim}`).digest("base64url");
}
