/* The program of one sample: one contender, one scenario, one process; the parent hears of it over IPC. */
import { weighControl } from "./allocation.ts";
import { loadContender } from "./contenders.ts";
import { prove, proveExposures, proveMany } from "./proof.ts";
import type { Rival } from "./rival.ts";
import { Excuse, type Sample } from "./sample.ts";
import { SCENARIOS } from "./scenarios.ts";
import { CONTROL, type Introduction, PROOF, type Told } from "./told.ts";

const [contender = "", task = ""] = process.argv.slice(2);
// Clients leave timers and sockets behind in many ways; the answer is all that is wanted of this process.
process.send?.(await tell(), () => process.exit());

async function tell(): Promise<Told> {
  try {
    if (task === CONTROL) return { kind: "sample", sample: await weighControl() };
    const rival = await loadContender(contender);
    if (task === PROOF) return { kind: "introduction", introduction: await introduce(rival) };
    return { kind: "sample", sample: await measure(rival) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { kind: error instanceof Excuse ? "excuse" : "failure", reason };
  }
}

async function measure(rival: Rival): Promise<Sample> {
  const scenario = SCENARIOS.find(({ id }) => id === task);
  if (scenario === undefined) throw new Error(`there is no scenario ${task}`);
  const reason = scenario.excuses?.(rival);
  if (reason !== undefined) throw new Excuse(reason);
  return scenario.measure(rival);
}

async function introduce(rival: Rival): Promise<Introduction> {
  const { name, version, answers, note, tracks } = rival;
  const proof = await prove(rival);
  await proveMany(rival);
  const exposures = tracks === undefined ? {} : { exposures: await proveExposures(rival) };
  return {
    ...{ name, version, answers },
    ...(note === undefined ? {} : { note }),
    ...(tracks === undefined ? {} : { tracks }),
    proof: { ...proof, ...exposures },
  };
}
