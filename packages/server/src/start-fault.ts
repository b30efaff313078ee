import { ProblemError, renderProblem } from "./http/problem.ts";
import { isAway } from "./store/changes/until-there.ts";
import { storeFault } from "./store/sqlite/faults.ts";

/** Why a start came to nothing, in words a person can act on: stores speak to the edge, which here is the terminal. */
export function startFault(error: unknown, folder: string): unknown {
  if (storeFault(error).code === "disk_full") {
    return new Error(`The disk of the data folder ${folder} is full. Make room first.`, { cause: error });
  }
  if (!(error instanceof ProblemError)) return error;
  const { detail } = renderProblem(error.code, error.data, "start");
  const mirror = isAway(error) ? " The data folder holds nothing to start from without it." : "";
  return new Error(`${detail}${mirror}`, { cause: error });
}
