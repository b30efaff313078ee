/** The server as a library: what `main.ts` does, for programs that bring their own process. */
export { type Config, readConfig } from "./config.ts";
export type { RunningServer } from "./running-server.ts";
export { startServer } from "./server.ts";
