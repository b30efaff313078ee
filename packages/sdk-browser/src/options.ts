import type { EvaluationContext, Snapshot } from "@belay/protocol";
import type { Logger } from "./application.ts";
import type { Keeper } from "./keeper.ts";

/** Options of `createClient`. */
export interface ClientOptions {
  /** Address of the Belay server; a path in front of `/sdk/v1` may follow. Absent: offline, decides with `bootstrap`. */
  readonly url?: string;
  /** SDK key of the environment, of kind `client`. */
  readonly clientKey?: string;
  /** Who is looking, until `identify` says otherwise. @default nobody */
  readonly context?: EvaluationContext;
  /** Rules that the page was rendered with, or `fromValues(...)`: they decide until the server answers. */
  readonly bootstrap?: Snapshot;
  /** Keeps the last known good rules for the next page, for example `localKeeper`. @default none */
  readonly keeper?: Keeper;
  /** Time between two polls where streaming is not possible. @default 60,000, minimum 1,000 */
  readonly pollIntervalMs?: number;
  /** Attributes of the context that are recorded with exposures, by name. @default none */
  readonly contextAttributes?: readonly string[];
  /** @default warnings to the console */
  readonly logger?: Logger;
}
