// One application process: decides for its share of the players and reports what became of them, as any service would.
import { createClient } from "@belay/sdk-node";
import { loadPlayers, type Player } from "./players.ts";
import { outcomesOf } from "./proofs.ts";

/** What the demo tells an application to do. */
export interface Task {
  readonly url: string;
  readonly sdkKey: string;
  /** It takes the players whose index leaves `part` when divided by `parts`. */
  readonly part: number;
  readonly parts: number;
}

/** What an application says while it works, and what it did at the end. */
export type Progress =
  | { readonly kind: "working"; readonly players: number }
  | {
      readonly kind: "done";
      /** Player's id and the variant decided for them. */
      readonly decisions: readonly (readonly [unit: string, variant: string])[];
      /** Players whose second decision was not their first. */
      readonly undecided: number;
      readonly events: number;
      readonly dropped: number;
      /** From the first decision to the last event acknowledged. */
      readonly tookMs: number;
    };

/** The SDK keeps 10,000 unsent events at most; this many players make 4,000. */
const PLAYERS_AT_A_TIME = 1_000;
const FLUSH_TIMEOUT_MS = 30_000;

process.once("message", (task: Task) => {
  work(task).then(
    () => process.disconnect(),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});

async function work({ url, sdkKey, part, parts }: Task): Promise<void> {
  const players = loadPlayers().players.filter((_, index) => index % parts === part);
  // Lost acknowledgements are the point here; what the SDK would say about them is no news.
  const belay = createClient({ url, sdkKey, logger: { warn: () => {}, error: console.error } });
  const state = await belay.ready({ timeoutMs: 10_000 });
  if (state !== "live") throw new Error(`The SDK did not get its rules; it is ${state}.`);

  const startedAt = performance.now();
  const decisions: [string, string][] = [];
  let undecided = 0;
  for (let first = 0; first < players.length; first += PLAYERS_AT_A_TIME) {
    for (const player of players.slice(first, first + PLAYERS_AT_A_TIME)) {
      const variant = decide(player);
      // A player comes back within the session: decided again, and no second exposure.
      if (decide(player) !== variant) undecided += 1;
      decisions.push([player.id, variant]);
      for (const { name, value } of outcomesOf(player)) belay.track(name, { targetingKey: player.id }, { value });
    }
    await sendAll();
    await tell({ kind: "working", players: decisions.length });
  }
  const { stored, dropped } = await belay.close();
  await tell({ kind: "done", decisions, undecided, events: stored, dropped, tookMs: performance.now() - startedAt });

  function decide({ id }: Player): string {
    return belay.evaluate("gate", { targetingKey: id }, 0).variant ?? "none";
  }

  async function sendAll(): Promise<void> {
    const { queued } = await belay.flush({ timeoutMs: FLUSH_TIMEOUT_MS });
    if (queued > 0) throw new Error(`${queued} events were not acknowledged within ${FLUSH_TIMEOUT_MS} ms.`);
  }
}

/** Resolves when the message has left: a process that disconnects before would take it along. */
function tell(progress: Progress): Promise<void> {
  return new Promise((resolve, reject) => {
    process.send?.(progress, (error: Error | null) => (error === null ? resolve() : reject(error)));
  });
}
