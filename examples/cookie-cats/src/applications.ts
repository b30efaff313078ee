import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Progress, Task } from "./application.ts";

/** What the application processes did together. */
export interface Work {
  readonly decisions: ReadonlyMap<string, string>;
  readonly undecided: number;
  readonly events: number;
  readonly dropped: number;
  /** Of the one that took longest. */
  readonly tookMs: number;
}

const PROGRAM = fileURLToPath(new URL("./application.js", import.meta.url));

/**
 * Runs application processes side by side until each has done its share.
 *
 * @param told is called with the number of players done so far, by all of them
 * @throws Error when one of them ends before its share is done; the others are ended too.
 */
export async function runApplications(
  count: number,
  target: Pick<Task, "url" | "sdkKey">,
  told: (players: number) => void,
): Promise<Work> {
  const progress = new Array<number>(count).fill(0);
  const running: ChildProcess[] = [];
  const one = (part: number): Promise<Done> =>
    new Promise((resolve, reject) => {
      const child = fork(PROGRAM, { stdio: "inherit" });
      running.push(child);
      let done: Done | undefined;
      child.on("message", (message: Progress) => {
        if (message.kind === "done") done = message;
        else {
          progress[part] = message.players;
          told(progress.reduce((sum, players) => sum + players, 0));
        }
      });
      child.on("error", reject);
      child.on("exit", (code) => (done === undefined ? reject(new Error(`An application ended with ${code}.`)) : resolve(done)));
      child.send({ ...target, part, parts: count } satisfies Task);
    });
  try {
    return together(await Promise.all(Array.from({ length: count }, (_, part) => one(part))));
  } finally {
    for (const child of running) child.kill();
  }
}

type Done = Extract<Progress, { kind: "done" }>;

function together(all: readonly Done[]): Work {
  return {
    decisions: new Map(all.flatMap(({ decisions }) => decisions)),
    undecided: sum(all.map(({ undecided }) => undecided)),
    events: sum(all.map(({ events }) => events)),
    dropped: sum(all.map(({ dropped }) => dropped)),
    tookMs: Math.max(...all.map(({ tookMs }) => tookMs)),
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
