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
