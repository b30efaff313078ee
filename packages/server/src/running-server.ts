import type { FastifyInstance } from "fastify";
import type { Config } from "./config.ts";

/** A running server. */
export interface RunningServer {
  readonly url: string;
  /** What to print: the address, and at the first start the secrets with the first steps. */
  readonly greeting: string;
  /** Ends streams, requests and stores, in this order. */
  readonly close: () => Promise<void>;
}

/** What is to be ended one after the other, the last first. */
export interface Closing {
  readonly closers: (() => Promise<void> | void)[];
  /** Ends all of them: one that fails keeps no other from putting away what it holds. @throws the first failure, after all. */
  readonly close: () => Promise<void>;
}

export function closing(): Closing {
  const closers: Closing["closers"] = [];
  const close = async (): Promise<void> => {
    const faults: unknown[] = [];
    for (let closer = closers.pop(); closer !== undefined; closer = closers.pop()) {
      try {
        await closer();
      } catch (error) {
        faults.push(error);
      }
    }
    if (faults.length > 0) throw faults[0];
  };
  return { closers, close };
}

/** How long requests under way may take once a server is to end. */
const LAST_REQUESTS_MS = 1_000;

/** Ends streams, then what is asked just now; a pull that would go on for minutes is cut where it is, and its cursor goes on there. */
export async function endApp(app: FastifyInstance | undefined): Promise<void> {
  const timer = setTimeout(() => app?.server.closeAllConnections(), LAST_REQUESTS_MS);
  try {
    await app?.close();
  } finally {
    clearTimeout(timer);
  }
}

/** @throws Error in words where the port cannot be had */
export async function listen(app: FastifyInstance, { host, port }: Pick<Config, "host" | "port">): Promise<string> {
  try {
    return await app.listen({ host, port });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EADDRINUSE") throw new Error(`Port ${port} of ${host} is taken. Stop what uses it, or set BELAY_PORT.`);
    if (code === "EACCES") throw new Error(`Port ${port} of ${host} may not be used by this user. Set BELAY_PORT.`);
    throw error;
  }
}
