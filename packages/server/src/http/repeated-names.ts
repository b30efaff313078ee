/** An object, or a list, that is being read. */
interface Open {
  /** Names met in it; a list has none. */
  readonly names: Set<string> | undefined;
  /** The name or index of what is being read in it. */
  at: string | number;
}

/**
 * The first field that an object of a JSON text says twice, as a path; `undefined` without one. `JSON.parse` keeps the last:
 * of two percentages, or two targets, nobody would know which one was made. One pass, no recursion.
 *
 * @param json a text that `JSON.parse` takes.
 */
export function repeatedName(json: string): string | undefined {
  const open: Open[] = [];
  let isName = false;
  for (let index = 0; index < json.length; index += 1) {
    const sign = json[index];
    if (sign === "{" || sign === "[") open.push({ names: sign === "{" ? new Set() : undefined, at: 0 });
    else if (sign === "}" || sign === "]") open.pop();
    const inner = open.at(-1);
    if (sign === '"') {
      const end = endOfText(json, index);
      if (isName && inner?.names !== undefined) {
        inner.at = JSON.parse(json.slice(index, end + 1)) as string;
        if (inner.names.has(inner.at)) return pathOf(open);
        inner.names.add(inner.at);
      }
      index = end;
    } else if (sign === "," && typeof inner?.at === "number") inner.at += 1;
    // A name is the first text after a brace, and after a comma in an object.
    if (sign === "{" || sign === ",") isName = inner?.names !== undefined;
    else if (sign === '"' || sign === "[") isName = false;
  }
  return undefined;
}

/** Where the text that begins at an index ends: at the first quotation mark that is not escaped. */
function endOfText(json: string, from: number): number {
  let end = json.indexOf('"', from + 1);
  while (isEscaped(json, end)) end = json.indexOf('"', end + 1);
  return end;
}

function isEscaped(json: string, at: number): boolean {
  let slashes = 0;
  while (json[at - slashes - 1] === "\\") slashes += 1;
  return slashes % 2 === 1;
}

function pathOf(open: readonly Open[]): string {
  return open.map(({ at }, depth) => (typeof at === "number" ? `[${at}]` : depth === 0 ? at : `.${at}`)).join("");
}
