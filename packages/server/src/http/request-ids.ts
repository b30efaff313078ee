import type { FillRandom } from "../flags/salts.ts";

const ID_BYTES = 9;
/** What nine bytes are in base64url, exactly. */
const ID_LENGTH = 12;
const IDS_AT_ONCE = 256;

/**
 * Makes ids of requests, 72 random bits each. The dice are asked for many at a time, and their text is cut: alone each costs as
 * much as a small answer.
 */
export function requestIds(fill: FillRandom): () => string {
  let text = "";
  let at = 0;
  return () => {
    if (at === text.length) {
      text = Buffer.from(fill(new Uint8Array(ID_BYTES * IDS_AT_ONCE))).toString("base64url");
      at = 0;
    }
    const id = text.slice(at, at + ID_LENGTH);
    at += ID_LENGTH;
    return id;
  };
}
