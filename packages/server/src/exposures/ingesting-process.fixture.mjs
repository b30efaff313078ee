/*
 * A server of nothing but the event doors, as the build has them, in a process that a test may kill at any moment.
 * Argument: the folder of the events. It tells its port to whoever forked it.
 */
import Fastify from "fastify";
import { eventDoors } from "../../dist/exposures/routes.js";
import { installProblems } from "../../dist/http/errors.js";
import { compileValidator } from "../../dist/http/validation.js";
import { openEventStore } from "../../dist/store/events/index.js";

const [directory = ""] = process.argv.slice(2);
const events = await openEventStore({ directory, segmentAgeMs: 50, log: (message) => console.error(message) });
const app = Fastify({ forceCloseConnections: true });
installProblems(app);
app.setValidatorCompiler(compileValidator);

const sdk = Object.assign(
  /** @param {import("fastify").FastifyRequest} request */
  async (request) => {
    request.sdk = { id: "key", project: "default", environment: "production", kind: "server" };
  },
  { needs: /** @type {const} */ ("sdk") },
);
const analyst = Object.assign(async () => {}, { needs: /** @type {const} */ ("analyst") });
await app.register(eventDoors({ access: { sdk, role: () => analyst }, events, hasEnvironment: () => true }));
await app.listen({ host: "127.0.0.1", port: 0 });
const address = app.server.address();
process.send?.(typeof address === "object" ? address?.port : undefined);

process.on("message", async () => {
  await app.close();
  await events.close();
  process.exit(0);
});
process.on("disconnect", () => process.exit(1));
