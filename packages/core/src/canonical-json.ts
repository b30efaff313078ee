import type { Json } from "@belay/protocol";

/** JSON text with the keys of every object in code unit order: equal texts for equal documents, whoever wrote them. */
export function canonicalJson(value: Json): string {
  if (Array.isArray(value)) return `[${value.map((element: Json) => canonicalJson(element)).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, inner]) => `${JSON.stringify(key)}:${canonicalJson(inner)}`).join(",")}}`;
}
