import type { ErrorCode, Json } from "@belay/protocol";
import { ConditionSchema } from "@belay/protocol/schemas";
import type { TSchema } from "@sinclair/typebox";
import { type TypeCheck, TypeCompiler } from "@sinclair/typebox/compiler";
import { type ValueError, ValueErrorType } from "@sinclair/typebox/errors";
import { Value } from "@sinclair/typebox/value";
import type { FastifySchemaCompiler } from "fastify";
import { ExplainedConditionSchema } from "../explain/views.ts";
import { ProblemError } from "./problem.ts";

/** Schemas that others refer to by their `$id`. */
export const SHARED_SCHEMAS: readonly TSchema[] = [ConditionSchema, ExplainedConditionSchema];

/**
 * Checks what arrives against its schema and never changes a body: nothing is coerced, filled in or left out. Only what
 * is text by nature (query, parameters) is read as the number or truth value its schema asks for.
 */
export const compileValidator: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  let made: TypeCheck<TSchema> | undefined;
  return (received: unknown) => {
    // When the route is first asked: compiling all of them took a third of a start, and most are asked rarely.
    made ??= TypeCompiler.Compile(schema, [...SHARED_SCHEMAS]);
    const compiled = made;
    const value = httpPart === "body" ? received : fromText(schema, received);
    if (compiled.Check(value)) return { value };
    return { error: faultOf(compiled.Errors(value)) };
  };
};

/**
 * What is text by nature as what its schema asks for. A number is read from the text it is written as and from no other:
 * taken as it comes, `1e2` would be 1 and `2.5` would be 2.
 */
function fromText(schema: TSchema, received: unknown): unknown {
  // Converting writes into what it is given.
  const texts: { readonly [name: string]: unknown } = { ...(received as object) };
  if (Object.keys(texts).length === 0) return received;
  const converted = Value.Convert(schema, [...SHARED_SCHEMAS], received) as object;
  const isOther = ([name, value]: [string, unknown]): boolean => typeof value === "number" && String(value) !== texts[name];
  return Object.fromEntries(Object.entries(converted).map((field) => (isOther(field) ? [field[0], texts[field[0]]] : field)));
}

/** The refusal that names the first field that is wrong. A field that is not known goes first: it is the usual typo. */
function faultOf(errors: Iterable<ValueError>): ProblemError {
  const first = firstFault(errors);
  if (first === undefined) return new ProblemError("invalid_field", { field: "", reason: "it has another form" });
  const field = fieldOf(first.path);
  if (first.type === ValueErrorType.ObjectAdditionalProperties) {
    if (keyPatternOf(first.schema) !== undefined) return new ProblemError("invalid_key", { field, received: lastOf(first.path) });
    return new ProblemError("unknown_field", {
      field,
      received: first.value,
      allowed: Object.keys(first.schema["properties"] ?? {}),
    });
  }
  const allowed = allowedBy(first.schema);
  return new ProblemError(codeOf(first), {
    field,
    received: first.value,
    reason: reasonOf(first),
    ...(allowed === undefined ? {} : { allowed }),
  });
}

// Enough to find a typo among the missing fields it causes; a hostile body may hold a million faults.
const FAULTS_READ_MAX = 16;

function firstFault(errors: Iterable<ValueError>): ValueError | undefined {
  const faults: ValueError[] = [];
  for (const error of errors) {
    faults.push(error);
    if (faults.length === FAULTS_READ_MAX) break;
  }
  const first = faults.find(({ type }) => type === ValueErrorType.ObjectAdditionalProperties) ?? faults[0];
  return first?.type === ValueErrorType.Union ? insideUnion(first) : first;
}

/** The fault inside the form of a union that was meant: the one that shares most names with what was received. */
function insideUnion(union: ValueError): ValueError {
  const forms = (union.schema["anyOf"] as TSchema[] | undefined) ?? [];
  const isObject = typeof union.value === "object" && union.value !== null && !Array.isArray(union.value);
  if (!isObject) return union;
  const names = Object.keys(union.value as object);
  const shared = forms.map((form) => names.filter((name) => Object.hasOwn(form["properties"] ?? {}, name)).length);
  const best = shared.indexOf(Math.max(...shared));
  const inside = (shared[best] ?? 0) > 0 ? firstFault(union.errors[best] ?? []) : undefined;
  return inside === undefined ? union : acrossForms(inside, union, forms);
}

/** A fault in the field by which the forms of a union differ allows what that field may be in any of them. */
function acrossForms(inside: ValueError, { path }: ValueError, forms: readonly TSchema[]): ValueError {
  const name = lastOf(inside.path);
  if (inside.path !== `${path}/${name}`) return inside;
  const fields = forms.flatMap((form) => (form["properties"] as Record<string, TSchema> | undefined)?.[name] ?? []);
  const values = fields.map((field) => ("const" in field ? [field["const"] as Json] : field["x-one-of"]));
  if (fields.length < 2 || values.includes(undefined)) return inside;
  return { ...inside, type: ValueErrorType.Union, schema: { ...inside.schema, "x-one-of": [...new Set(values.flat())] } };
}

function codeOf({ type, schema }: ValueError): ErrorCode {
  const code = (schema["x-error"] as ErrorCode | undefined) ?? "invalid_field";
  // Of a key that is not there nothing is said by how keys are spelled.
  return code === "invalid_key" && type === ValueErrorType.ObjectRequiredProperty ? "invalid_field" : code;
}

/** The values a union chooses from, or the names by which its forms differ; `undefined` where it is about neither. */
function allowedBy(schema: TSchema): Json | undefined {
  const forms = schema["anyOf"] as readonly TSchema[] | undefined;
  const named = schema["x-one-of"] as Json | undefined;
  if (named !== undefined || forms === undefined) return named;
  const values = forms.flatMap((form) => ("const" in form ? [form["const"] as Json] : (allowedBy(form) ?? [])));
  const names = forms.flatMap((form) => (form["required"] as string[] | undefined) ?? []);
  if (values.length > 0) return values;
  return names.length > 0 ? names : undefined;
}

function reasonOf({ type, path, message, value, schema }: ValueError): string {
  if (type === ValueErrorType.ObjectRequiredProperty) return "it is missing";
  if (path === "" && (value === undefined || value === null)) return "it is missing; send `{}` where there is nothing to say";
  if (type === ValueErrorType.Union) {
    return schema["x-one-of"] === undefined ? "it has none of the forms allowed here" : "it is none of the values in `allowed`";
  }
  return `${message.charAt(0).toLowerCase()}${message.slice(1)}`;
}

/** Schemas of objects with names people choose have the pattern those names must follow. */
function keyPatternOf(schema: TSchema): string | undefined {
  return Object.keys((schema["patternProperties"] as object | undefined) ?? {})[0];
}

/** `/rules/2/when` is `rules[2].when`. */
function fieldOf(path: string): string {
  return segmentsOf(path).reduce((field, name) => {
    if (/^\d+$/.test(name)) return `${field}[${name}]`;
    return field === "" ? name : `${field}.${name}`;
  }, "");
}

const lastOf = (path: string): string => segmentsOf(path).at(-1) ?? "";

function segmentsOf(path: string): string[] {
  return path
    .split("/")
    .slice(1)
    .map((name) => name.replaceAll("~1", "/").replaceAll("~0", "~"));
}
