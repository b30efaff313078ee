import type { ErrorCode, Json } from "@belay/protocol";

/** One thing wrong with a definition: the data from which the server makes a 422 and an SDK its one log line. */
export interface Defect {
  readonly code: ErrorCode;
  /** Path inside the flag or segment, for example `rules[2].when.value`. */
  readonly field: string;
  readonly received?: Json;
  readonly allowed?: Json;
  /** What is wrong, for codes whose text asks for it. */
  readonly reason?: string;
  /** The keys of a cycle in order, for `prerequisite_cycle`. */
  readonly cycle?: string;
  /** The type asked for, for `type_mismatch`. */
  readonly expected?: string;
}

/** Collects defects; the checks of a definition write into one. */
export class Defects {
  readonly list: Defect[] = [];

  add(code: ErrorCode, field: string, more: Omit<Defect, "code" | "field"> = {}): void {
    this.list.push({ code, field, ...more });
  }

  /** Says that `field` is not valid, quoting what was received there. */
  invalid(field: string, received: unknown, reason: string, allowed?: Json): void {
    this.add("invalid_field", field, { received: quotable(received), reason, ...(allowed === undefined ? {} : { allowed }) });
  }
}

/** What can be quoted of a received value: itself when it is small, otherwise what kind of thing it is. */
export function quotable(value: unknown): Json {
  if (value === null || typeof value === "boolean" || typeof value === "number" || typeof value === "string") return value;
  if (Array.isArray(value)) return `a list of ${value.length}`;
  return typeof value === "object" ? "an object" : typeof value;
}
