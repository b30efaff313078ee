import type { FillRandom } from "../flags/salts.ts";

const ID_BYTES = 9;
const IDS_AT_ONCE = 256;

/** Makes ids of requests, 72 random bits each. The dice are asked for many at a time: alone each costs as much as a small answer. */
export function requestIds(fill: FillRandom): () => string {
  let left = Buffer.alloc(0);
  return () => {
    if (left.length === 0) left = Buffer.from(fill(new Uint8Array(ID_BYTES * IDS_AT_ONCE)));
    const id = left.toString("base64url", 0, ID_BYTES);
    left = left.subarray(ID_BYTES);
    return id;
  };
}
