import type { FastifyInstance } from "fastify";

/** What a path takes: as routes spell it, in pieces, and by which methods. */
interface Pattern {
  readonly pieces: readonly string[];
  readonly methods: Set<string>;
}

/**
 * Knows by which methods a path is asked. Call it before the routes are registered; what it returns is slow, and for the
 * answer to a request that met no route.
 *
 * @returns the methods of a path without its query, none for a path that no route has.
 */
export function watchMethods(app: FastifyInstance): (path: string) => readonly string[] {
  const patterns = new Map<string, Pattern>();
  app.addHook("onRoute", ({ method, url }) => {
    const pattern = patterns.get(url) ?? { pieces: url.split("/"), methods: new Set() };
    patterns.set(url, pattern);
    for (const one of [method].flat()) pattern.methods.add(one);
  });
  return (path) => {
    const pieces = path.split("/");
    const met = [...patterns.values()].filter((pattern) => isMet(pattern.pieces, pieces));
    return [...new Set(met.flatMap(({ methods }) => [...methods]))].sort();
  };
}

function isMet(pattern: readonly string[], pieces: readonly string[]): boolean {
  const isOpen = pattern.at(-1) === "*";
  if (isOpen ? pieces.length < pattern.length : pieces.length !== pattern.length) return false;
  return pattern.every((piece, index) => piece === "*" || piece.startsWith(":") || piece === pieces[index]);
}
