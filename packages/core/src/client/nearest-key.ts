/** Keys further away than this are no misspelling. */
const DISTANCE_MAX = 3;

/** The key closest to one that is not there, if it could be meant: at most three letters differ, and fewer than half. */
export function nearestKey(wanted: string, keys: Iterable<string>): string | undefined {
  let nearest: string | undefined;
  let least = Math.min(DISTANCE_MAX, Math.floor(wanted.length / 2)) + 1;
  for (const key of keys) {
    if (Math.abs(key.length - wanted.length) >= least) continue;
    const distance = editDistance(wanted, key, least);
    if (distance < least) [nearest, least] = [key, distance];
  }
  return nearest;
}

/** Levenshtein's distance, row by row; gives up with `limit` when no path can stay below it. */
function editDistance(a: string, b: string, limit: number): number {
  let above = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let at = 1; at <= b.length; at += 1) {
      const replaced = (above[at - 1] as number) + (a[row - 1] === b[at - 1] ? 0 : 1);
      current.push(Math.min(replaced, (above[at] as number) + 1, (current[at - 1] as number) + 1));
    }
    if (Math.min(...current) >= limit) return limit;
    above = current;
  }
  return above[b.length] as number;
}
