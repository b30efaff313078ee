// Unleash on the PostgreSQL of DATABASE_URL, at PORT, open to everybody: what it costs to ask who asks is left out of its figures.
import { start } from "unleash-server";

await start({
  db: { connectionString: process.env.DATABASE_URL, ssl: false },
  server: { host: "127.0.0.1", port: Number(process.env.PORT) },
  authentication: { type: "none", createAdminUser: false },
  logLevel: "fatal",
  versionCheck: { enable: false },
  telemetry: false,
});
console.log("ready");
