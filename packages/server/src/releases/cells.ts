import type { Moment } from "./guardrails.ts";

/**
 * The cell of an hour, a share and a reach among cells in order of hours; made where there is none yet. Events of an hour that is
 * over come late from other servers, so a cell may be made between others: near the end almost always.
 *
 * @returns the cell's index
 */
export function cellAt<C extends Moment>(cells: C[], { hour, share, reach }: Moment, make: () => C): number {
  let at = cells.length;
  for (; at > 0 && (cells[at - 1]?.hour ?? 0) >= hour; at -= 1) {
    const cell = cells[at - 1];
    if (cell?.hour === hour && cell.share === share && cell.reach === reach) return at - 1;
  }
  cells.splice(at, 0, make());
  return at;
}
