import type { AttributePath, Json } from "@belay/protocol";

/**
 * An attribute as the text that a segment goes by: the whole path as one name, else step by step; `""` where there is no text,
 * number or truth value. As the event store reads it for experiments.
 */
export function attributeText(attributes: { readonly [name: string]: Json }, path: AttributePath): string {
  let found: Json | undefined = own(attributes, path);
  if ((found === undefined || found === null) && path.includes(".")) {
    found = path.split(".").reduce<Json | undefined>((at, step) => (at === undefined ? undefined : own(at, step)), attributes);
  }
  return typeof found === "string" || typeof found === "number" || typeof found === "boolean" ? String(found) : "";
}

function own(json: Json, name: string): Json | undefined {
  if (typeof json !== "object" || json === null || Array.isArray(json) || !Object.hasOwn(json, name)) return undefined;
  return (json as { readonly [name: string]: Json })[name];
}
