import * as crypto from "node:crypto";

export type Sha256 = (text: string, encoding: "hex" | "base64url") => string;

type HashOnce = (algorithm: string, text: string, encoding: "hex" | "base64url") => string;

/** By Node's function for one text, which came with 20.12, or else by an object made for it, which costs several times as much. */
export function sha256By(hashOnce: HashOnce | undefined): Sha256 {
  return hashOnce === undefined
    ? (text, encoding) => crypto.createHash("sha256").update(text).digest(encoding)
    : (text, encoding) => hashOnce("sha256", text, encoding);
}

/** SHA-256 of a text's UTF-8. */
export const sha256: Sha256 = sha256By(crypto.hash as HashOnce | undefined);
