import type { TSchema } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import type { FastifySerializerCompiler } from "fastify";
import { SHARED_SCHEMAS } from "./validation.ts";

const compiled = new WeakMap<object, ReturnType<typeof TypeCompiler.Compile>>();

/**
 * Writes an answer as the server does and holds it to the schema its route gives in OpenAPI: one that differs is a fault (500)
 * that names where. Refusals are held to their dictionary elsewhere.
 */
export const checkedAnswers: FastifySerializerCompiler<TSchema> = ({ schema, method, url, httpStatus }) => {
  return (answer) => {
    const text = JSON.stringify(answer);
    if (httpStatus?.startsWith("2")) assertFits(schema, text, `${method} ${url} ${httpStatus}`);
    return text;
  };
};

function assertFits(schema: TSchema, text: string, route: string): void {
  const check = compiled.get(schema) ?? TypeCompiler.Compile(schema, [...SHARED_SCHEMAS]);
  compiled.set(schema, check);
  const first = check.Errors(JSON.parse(text)).First();
  if (first === undefined) return;
  throw new Error(
    `${route} answers ${first.path || "something"} not as its schema says: ${first.message}, ${text.slice(0, 500)}`,
  );
}
