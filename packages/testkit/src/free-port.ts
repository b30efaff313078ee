import { randomInt } from "node:crypto";
import { createServer } from "node:net";

// Systems take the ports of outgoing connections from 32768 upward: a port below is only ever taken by a listener.
const LOWEST = 10_000;
const BEYOND_HIGHEST = 32_768;
const ATTEMPTS = 100;

const givenOut = new Set<number>();

/**
 * A port of 127.0.0.1 on which nothing listens now. This process is never given the same one twice; another process
 * may still take it first, so whoever listens on it should be ready to ask again.
 *
 * @throws Error when 100 ports in a row were taken.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const port = randomInt(LOWEST, BEYOND_HIGHEST);
    if (givenOut.has(port) || !(await canListen(port))) continue;
    givenOut.add(port);
    return port;
  }
  throw new Error(`No free port of 127.0.0.1 in ${ATTEMPTS} attempts.`);
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => server.close(() => resolve(true)));
  });
}
