/** Limits of a definition; beyond them the API answers 422 and an SDK isolates the flag. */
export const LIMITS: {
  /** Nesting of `all`, `any` and `not` inside one condition. */
  readonly conditionDepth: number;
  /** Tests, draws and groups of one condition, added up. */
  readonly conditionNodes: number;
  readonly rulesPerFlag: number;
  readonly partsPerSplit: number;
  readonly variantsPerFlag: number;
  readonly valuesPerList: number;
  /** Lists and objects inside one another in the value of a variant. */
  readonly valueDepth: number;
  /** Characters of a regular expression. */
  readonly patternLength: number;
  /** Flags and segments that ask for one another, in a chain. */
  readonly dependencyDepth: number;
  /** JSON text of one flag with its targeting, in UTF-8 bytes. */
  readonly flagBytes: number;
} = {
  conditionDepth: 32,
  conditionNodes: 10_000,
  rulesPerFlag: 1_000,
  partsPerSplit: 1_000,
  variantsPerFlag: 1_000,
  valuesPerList: 10_000,
  valueDepth: 100,
  patternLength: 1_024,
  dependencyDepth: 64,
  flagBytes: 1_048_576,
};
