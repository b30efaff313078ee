import type { FastifyInstance } from "fastify";
import { Counter, Histogram, type Registry } from "prom-client";

/** Seconds. A ready-made answer takes less than a millisecond, a pull may take minutes. */
const BUCKETS = [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10];

/**
 * Counts and times what is answered, by the route's pattern: what a caller puts into a path names no series. Streams are
 * answered past the framework and have meters of their own. Install it before the routes.
 */
export function meterHttp(app: FastifyInstance, registry: Registry): void {
  const requests = new Counter({
    name: "belay_http_requests_total",
    help: "Requests answered, by route pattern and class of status",
    labelNames: ["method", "route", "status"],
    registers: [registry],
  });
  const seconds = new Histogram({
    name: "belay_http_request_seconds",
    help: "Time from a request's head to its answer's end, by route pattern",
    labelNames: ["route"],
    buckets: BUCKETS,
    registers: [registry],
  });
  app.addHook("onResponse", ({ method, routeOptions: { url } }, { statusCode, elapsedTime }, done) => {
    const status = `${Math.trunc(statusCode / 100)}xx`;
    // A path that is no route may come with any method.
    if (url === undefined) requests.inc({ method: "", route: "", status });
    else {
      requests.inc({ method, route: url, status });
      seconds.observe({ route: url }, elapsedTime / 1_000);
    }
    done();
  });
}
