/** A measured point. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/**
 * The line through the last two points, the largest that were measured: what grows goes on growing as it did between them. What grew
 * by less than a quarter does not depend on x as far as measuring tells, and is level at the last.
 *
 * @throws RangeError for fewer than two points
 */
export function lineThrough(points: readonly Point[]): (x: number) => number {
  const [before, last] = points.slice(-2);
  if (before === undefined || last === undefined) throw new RangeError("a line takes two points");
  const slope = last.y < 1.25 * before.y ? 0 : (last.y - before.y) / (last.x - before.x);
  return (x) => last.y + slope * (x - last.x);
}
