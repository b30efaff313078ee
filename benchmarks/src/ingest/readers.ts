import type { ServerProcess } from "@belay/testkit";

/** Asks for these paths of the project one after the other, over and over, until told to stop; how many were answered. */
export async function readOn({ url, adminToken }: ServerProcess, paths: readonly string[], signal: AbortSignal): Promise<number> {
  const headers = { authorization: `Bearer ${adminToken}` };
  let answered = 0;
  while (!signal.aborted) {
    for (const path of paths) {
      const answer = await fetch(`${url}/api/v1/projects/default/${path}`, { headers, signal }).catch(() => undefined);
      const text = await answer?.text().catch(() => undefined);
      if (answer?.ok === false) throw new Error(`${path} answered ${answer.status}: ${text}`);
      if (text !== undefined) answered += 1;
    }
  }
  return answered;
}
