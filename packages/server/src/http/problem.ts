import { ERRORS, type ErrorCode, type Json, type Problem } from "@belay/protocol";

/** The data of a problem: what the templates of the dictionary quote, and what a client can act on. */
export interface ProblemData {
  readonly field?: string;
  readonly received?: unknown;
  readonly allowed?: Json;
  /** Further facts: quoted by the templates and sent as they are. */
  readonly [fact: string]: unknown;
}

/** A refusal on its way to the edge: it carries data, `renderProblem` makes the text. */
export class ProblemError extends Error {
  readonly code: ErrorCode;
  readonly data: ProblemData;

  constructor(code: ErrorCode, data: ProblemData = {}) {
    super(code);
    this.name = "ProblemError";
    this.code = code;
    this.data = data;
  }
}

const RECEIVED_LENGTH_MAX = 200;

/** The RFC 9457 document of a refusal. `received` is quoted as JSON, cut to 200 characters. */
export function renderProblem(code: ErrorCode, data: ProblemData, requestId: string): Problem {
  const entry = ERRORS[code];
  // What is said of the whole has no name of its own.
  const named = data.field === "" ? { ...data, field: "body" } : data;
  const { received, ...facts } = named;
  const quotable: Record<string, unknown> = { ...named, requestId };
  return {
    type: `about:belay/${code}`,
    title: entry.title,
    status: entry.status,
    detail: fill(entry.detail, quotable),
    code,
    hint: fill(entry.hint, quotable),
    ...(facts as Record<string, Json>),
    ...("received" in data ? { received: quote(received) } : {}),
    requestId,
  };
}

function fill(template: string, facts: Readonly<Record<string, unknown>>): string {
  return template.replace(/\{(\w+)\}/g, (whole, name: string) => (name in facts ? String(facts[name]) : whole));
}

function quote(received: unknown): string {
  const text = JSON.stringify(received) ?? String(received);
  return text.length <= RECEIVED_LENGTH_MAX ? text : `${text.slice(0, RECEIVED_LENGTH_MAX)}…`;
}
