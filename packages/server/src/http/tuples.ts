/**
 * A description with its tuples as OpenAPI 3.1 has them: its schemas are JSON Schema 2020-12, where `items` is one schema and a
 * tuple's are `prefixItems`. TypeBox writes tuples as older drafts had them, which validators and generators of 3.1 refuse.
 */
export function withPrefixItems<T>(description: T): T {
  return rewritten(description) as T;
}

function rewritten(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(rewritten);
  if (typeof value !== "object" || value === null) return value;
  const fields = Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, rewritten(inner)]));
  const { items, additionalItems: _, ...others } = fields;
  // A property that people call `items` is a schema, never a list of them.
  return Array.isArray(items) ? { ...others, prefixItems: items, items: false } : fields;
}
