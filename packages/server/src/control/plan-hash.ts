import { createHash } from "node:crypto";
import { canonicalJson } from "@belay/core";
import type { Json } from "@belay/protocol";

/** What names a plan that a person looked at: equal hashes are equal changes of equal things. */
export function planHash(plan: Json): string {
  return createHash("sha256").update(canonicalJson(plan)).digest("base64url");
}
