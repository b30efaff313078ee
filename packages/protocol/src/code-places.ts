/** Where code asks for flags, as a scan of one repository found it. */

export interface CodePlaces {
  readonly project: string;
  /** Name of the repository. */
  readonly repository: string;
  /** When it was scanned; RFC 3339. */
  readonly at: string;
  /** What was scanned: a commit, or another name of a version. */
  readonly version?: string;
  readonly places: readonly CodePlace[];
  readonly revision: number;
}

export interface CodePlace {
  readonly flag: string;
  /** Path from the repository's root. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
}

/** What a scan found; it takes the place of what the one before found. */
export interface CodePlacesDraft extends Pick<CodePlaces, "version" | "places"> {
  readonly reason?: string;
}

/** A place in the code of a named repository. */
export interface PlaceInCode extends Pick<CodePlace, "file" | "line"> {
  readonly repository: string;
}
