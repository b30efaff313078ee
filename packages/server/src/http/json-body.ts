import { ProblemError } from "./problem.ts";
import { repeatedName } from "./repeated-names.ts";

/** Deeper than any definition the limits allow; beyond it nothing recursive ever sees the body. */
export const JSON_DEPTH_MAX = 100;

/**
 * The JSON of a body. Names that JavaScript finds special are ordinary: `JSON.parse` makes them own properties.
 *
 * @throws ProblemError for text that is not JSON, nesting beyond `JSON_DEPTH_MAX`, numbers no double can hold, and objects
 * that say a name twice.
 */
export function parseJsonBody(text: string): unknown {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (error) {
    throw new ProblemError("invalid_json", { reason: error instanceof Error ? error.message.slice(0, 200) : "it is cut" });
  }
  assertWithinLimits(body);
  const field = repeatedName(text);
  if (field !== undefined) throw new ProblemError("invalid_field", { field: topOf(field), reason: "it is there twice" });
  return body;
}

interface Visit {
  readonly value: unknown;
  readonly field: string;
  readonly depth: number;
}

/** Walks with a list instead of the stack, which a hostile body would overflow. */
function assertWithinLimits(body: unknown): void {
  const waiting: Visit[] = [{ value: body, field: "", depth: 0 }];
  for (let visit = waiting.pop(); visit !== undefined; visit = waiting.pop()) {
    const { value, field, depth } = visit;
    if (typeof value === "number" && !Number.isFinite(value)) {
      throw new ProblemError(/(^|\.)percentage$/.test(field) ? "invalid_percentage" : "invalid_field", {
        field,
        received: String(value),
        reason: "the number is too large",
      });
    }
    if (typeof value !== "object" || value === null) continue;
    if (depth === JSON_DEPTH_MAX) {
      const reason = `it is nested more than ${JSON_DEPTH_MAX} deep`;
      throw new ProblemError("limit_exceeded", { field: topOf(field), allowed: JSON_DEPTH_MAX, reason });
    }
    pushChildren(value, visit, waiting);
  }
}

function pushChildren(value: object, { field, depth }: Visit, waiting: Visit[]): void {
  if (Array.isArray(value)) {
    for (const [index, inner] of value.entries())
      if (isWorthVisiting(inner)) waiting.push({ value: inner, field: `${field}[${index}]`, depth: depth + 1 });
    return;
  }
  for (const [name, inner] of Object.entries(value)) {
    if (isWorthVisiting(inner)) waiting.push({ value: inner, field: field === "" ? name : `${field}.${name}`, depth: depth + 1 });
  }
}

/** Texts and truth values cannot be wrong, and finite numbers are fine: a list of a million costs no paths. */
function isWorthVisiting(value: unknown): boolean {
  return typeof value === "number" ? !Number.isFinite(value) : typeof value === "object" && value !== null;
}

/** The path of a hundred levels says less than its beginning. */
function topOf(field: string): string {
  return field.length <= 80 ? field : `${field.slice(0, 80)}…`;
}
