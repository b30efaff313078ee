/* What an OFREP client sends, read strictly: what is unclear is refused in the protocol's own words. */
import type { EvaluationContext } from "@belay/protocol";
import type { FastifyRequest } from "fastify";
import { ProblemError } from "../http/problem.ts";
import { DEFAULTS_MODES, type DefaultsMode } from "./answer.ts";

/**
 * The context of a body. A body without one asks for nobody in particular: flags that divide units then answer
 * `TARGETING_KEY_MISSING`, each for itself.
 *
 * @throws ProblemError `invalid_field` for a context, or a targeting key, of another form
 */
export function contextOf(body: unknown): EvaluationContext {
  if (!isObject(body)) throw invalid("", body, "the body must be an object");
  const { context = {} } = body;
  if (!isObject(context)) throw invalid("context", context, "it must be an object");
  const { targetingKey } = context;
  if (targetingKey !== undefined && !UNITS.includes(typeof targetingKey)) {
    throw invalid("context.targetingKey", targetingKey, "it must be text");
  }
  return context as EvaluationContext;
}

/** What the client wants to hear where a flag serves its default: header `belay-defaults`, for clients that stumble. */
export function defaultsModeOf({ headers }: FastifyRequest): DefaultsMode {
  const asked = headers["belay-defaults"] ?? "valueless";
  const mode = DEFAULTS_MODES.find((known) => known === asked);
  if (mode === undefined) {
    throw new ProblemError("invalid_field", {
      field: "belay-defaults",
      received: asked,
      allowed: [...DEFAULTS_MODES],
      reason: "it is none of the modes",
    });
  }
  return mode;
}

/** The flag of the path. Clients do not escape slashes, so a key is all of the rest. */
export function keyOf({ params }: FastifyRequest): string {
  return (params as { readonly "*"?: string })["*"] ?? "";
}

/**
 * The path below which a proxy shows this server, from `X-Forwarded-Prefix`; empty where none says so. Several proxies in
 * a row name one part each. Nobody is trusted with it: what it makes of an address is told to the very caller alone, and no
 * such path leads to another host.
 */
export function prefixOf({ headers }: FastifyRequest): string {
  const sent = headers["x-forwarded-prefix"];
  if (sent === undefined) return "";
  const parts = String(sent).split(",");
  const prefix = parts.map((part) => part.trim().replace(/\/+$/, "")).join("");
  return PREFIX.test(prefix) ? prefix : "";
}

const PREFIX = /^(?:\/[\w.~-]+){1,16}$/;

const UNITS: readonly string[] = ["string", "number", "boolean"];

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function invalid(field: string, received: unknown, reason: string): ProblemError {
  return new ProblemError("invalid_field", { field, received, reason });
}
