import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { emptyReport, type Report } from "./report.ts";
import type { Task } from "./shop.ts";

/** Application processes that serve visitors until they are closed. */
export interface Shops {
  /** What each shop served in about the last half second. */
  readonly lately: () => readonly Report[];
  /** Sums from now on; the report under way belongs to before and is left out. */
  readonly count: () => () => readonly Report[];
  readonly close: () => Promise<void>;
}

/** Reports that are looked at together. */
const LATELY = 5;
/** The built program, seen from src/ and from dist/ alike. */
const PROGRAM = fileURLToPath(new URL("../dist/shop.js", import.meta.url));

/**
 * Starts the shops and waits until each serves.
 *
 * @throws Error when one of them ends before that.
 */
export async function openShops(count: number, task: Omit<Task, "part">): Promise<Shops> {
  const lately = Array.from({ length: count }, (): Report[] => []);
  const listeners = new Set<(report: Report) => void>();
  const children = Array.from({ length: count }, (_, part): ChildProcess => {
    const child = fork(PROGRAM, { stdio: "inherit" });
    child.on("message", (report: Report) => {
      lately[part] = [...(lately[part] ?? []), report].slice(-LATELY);
      for (const listener of listeners) listener(report);
    });
    child.send({ ...task, part } satisfies Task);
    return child;
  });
  await Promise.all(children.map(whenServing));
  return {
    lately: () => lately.map((reports, part) => reports.reduce(added, emptyReport(part))),
    count: () => {
      const sums = new Map<number, Report>();
      listeners.add((report) => sums.set(report.part, goOn(sums.get(report.part), report)));
      return () => [...sums.values()].sort((a, b) => a.part - b.part);
    },
    close: async () => {
      const ended = children.filter(({ exitCode }) => exitCode === null).map((child) => once(child, "exit"));
      for (const child of children) if (child.connected) child.send("close");
      await Promise.all(ended);
    },
  };
}

function whenServing(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once("message", () => resolve());
    child.once("exit", (code) => reject(new Error(`A shop ended with ${code}.`)));
  });
}

/** The first report only opens the sum: part of it is from before. */
function goOn(before: Report | undefined, report: Report): Report {
  return before === undefined ? emptyReport(report.part) : added(before, report);
}

function added(a: Report, b: Report): Report {
  return {
    part: a.part,
    visitors: a.visitors + b.visitors,
    treated: { checkout: a.treated.checkout + b.treated.checkout, search: a.treated.search + b.treated.search },
  };
}
