/** Places a text on an imported scale: an integer point from 0 to `points - 1`. */
export type LegacyHashFunction = (text: string, points: number) => number;
