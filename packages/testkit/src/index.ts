export { freePort } from "./free-port.ts";
export { type Dice, seeded } from "./seeded.ts";
export { ADMIN_TOKEN, type Exit, type ServerOptions, type ServerProcess, startServer } from "./server-process.ts";
export { type TempDir, tempDir } from "./temp-dir.ts";
