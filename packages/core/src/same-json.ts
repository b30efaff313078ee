import type { Json } from "@belay/protocol";

/** Do two documents hold the same, whatever the order of their keys? As comparing their canonical texts, without writing them. */
export function isSameJson(a: Json, b: Json): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) return Array.isArray(a) && Array.isArray(b) && isSameList(a, b);
  return isSameTable(a as Table, b as Table);
}

interface Table {
  readonly [name: string]: Json;
}

function isSameTable(a: Table, b: Table): boolean {
  const names = Object.keys(a);
  if (names.length !== Object.keys(b).length) return false;
  return names.every((name) => Object.hasOwn(b, name) && isSameJson(a[name] as Json, b[name] as Json));
}

function isSameList(a: readonly Json[], b: readonly Json[]): boolean {
  return a.length === b.length && a.every((element, index) => isSameJson(element, b[index] as Json));
}
