import { timingSafeEqual } from "node:crypto";
import { type FillRandom, randomText } from "../flags/salts.ts";
import { sha256 } from "./sha256.ts";

/**
 * A secret is `<prefix>_<id>_<random>`: the id, which is no secret, finds the record in one map look-up; the whole text
 * is compared by its SHA-256 in constant time. 32 random characters of base32 are 160 bits, beyond guessing, so that a
 * fast hash is enough.
 */
export interface NewSecret {
  readonly id: string;
  readonly secret: string;
  readonly hash: string;
}

export type SecretPrefix = "server" | "client" | "remote" | "relay" | "token";

const ID_LENGTH = 12;
const RANDOM_LENGTH = 32;

export function newSecret(prefix: SecretPrefix, fill: FillRandom): NewSecret {
  return secretOf(prefix, randomText(ID_LENGTH, fill), fill);
}

/** Another secret of the same record. */
export function secretOf(prefix: SecretPrefix, id: string, fill: FillRandom): NewSecret {
  const secret = `belay_${prefix}_${id}_${randomText(RANDOM_LENGTH, fill)}`;
  return { id, secret, hash: hashSecret(secret) };
}

/** SHA-256 in hex. */
export function hashSecret(secret: string): string {
  return sha256(secret, "hex");
}

/** What a secret says of itself; `undefined` when it was not made by `newSecret`. */
export function readSecret(secret: string): { readonly prefix: SecretPrefix; readonly id: string } | undefined {
  const match = SECRET.exec(secret);
  return match === null ? undefined : { prefix: match[1] as SecretPrefix, id: match[2] as string };
}

const SECRET = /^belay_(server|client|remote|relay|token)_([a-z2-7]{12})_[a-z2-7]{32}$/;

/** Is this the secret of that hash? Always hashes and always compares, so that time tells nothing, also without a record. */
export function secretFits(secret: string, hash: string | undefined): boolean {
  const fits = timingSafeEqual(Buffer.from(hashSecret(secret), "hex"), Buffer.from(hash ?? NO_HASH, "hex"));
  return fits && hash !== undefined;
}

const NO_HASH = "0".repeat(64);
