import { ProblemError } from "../../http/problem.ts";

/** What a driver's error means to a client: a full disk, or a store that cannot take it now. Refusals pass as they are. */
export function storeFault(error: unknown, store = "The change log"): ProblemError {
  if (error instanceof ProblemError) return error;
  const code = codeOf(error);
  if (code === "SQLITE_FULL" || code === "ENOSPC") return new ProblemError("disk_full", { what: "the change" });
  const fault = new ProblemError("store_unavailable", { store, reason: code ?? "it failed", retryAfterS: 1 });
  fault.cause = error;
  return fault;
}

// libsql and node:sqlite name the same result in different properties.
function codeOf(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null) return undefined;
  const { code, errcode } = error as { code?: unknown; errcode?: unknown };
  if (errcode === 13) return "SQLITE_FULL";
  return typeof code === "string" ? code : undefined;
}
