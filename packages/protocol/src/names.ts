/**
 * The names and units every package shares. They are aliases, not brands: on a wire they are plain strings and
 * numbers, and the makers of the compiled forms (`core`) check them once, on arrival.
 */

/** Key of a flag, segment, layer, holdout, metric, experiment or release: 1-128 of `A-Z a-z 0-9 . _ -`, case-sensitive. */
export type FlagKey = string;
export type SegmentKey = string;
export type VariantName = string;

/**
 * Name of a space a draw refers to. A flag carries its own spaces under short names, `share` (its own share) and
 * `split` (the line its variants divide); spaces shared by many flags stand in the snapshot as `layer/<key>` and
 * `holdout/<key>`. A flag's own name wins.
 */
export type SpaceId = string;

/** Path of an attribute in an evaluation context: `country`, `company.plan`. An own property with the whole dotted name wins. */
export type AttributePath = string;

/** Parts per million of a space, an integer from 0 to 1,000,000. */
export type Ppm = number;

/** Revision of an environment, an integer that only rises, also when the content goes back to an earlier one. */
export type Revision = number;

/** Milliseconds since 1970-01-01T00:00:00Z. */
export type EpochMs = number;

/**
 * Pattern of every key people choose. Names that JavaScript finds special (`__proto__`, `constructor`) are ordinary keys; `.`
 * and `..` are none: clients and proxies take them out of addresses, so that what they name could not be reached.
 */
export const KEY_PATTERN = "^(?!\\.{1,2}$)[A-Za-z0-9._-]{1,128}$";

/** Length of a space: the number of points a unit can fall on. */
export const SPACE_PPM = 1_000_000;
