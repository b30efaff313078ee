import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { Counter, Histogram, type Registry } from "prom-client";

/** Seconds. A ready-made answer takes less than a millisecond, a pull may take minutes. */
const BUCKETS = [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10];

/** Counts and times one answer of a route. */
type Note = (method: string, status: number, elapsedMs: number) => void;

/** Answers by method and class of status: `GET 2xx`. */
type Counts = Map<string, number>;

/**
 * Counts and times what is answered, by the route's pattern: what a caller puts into a path names no series. Streams are
 * answered past the framework and have meters of their own. Install it before the routes.
 */
export function meterHttp(app: FastifyInstance, registry: Registry): void {
  // A path that is no route may come with any method: it has none here.
  const elsewhere: Counts = new Map();
  const routes = new Map([["", elsewhere]]);
  countAnswers(registry, routes);
  const seconds = new Histogram({
    name: "belay_http_request_seconds",
    help: "Time from a request's head to its answer's end, by route pattern",
    labelNames: ["route"],
    buckets: BUCKETS,
    registers: [registry],
  });
  const notes = new Map<string, Note>();
  const noteAt = (route: string): Note => {
    const counts = routes.get(route) ?? new Map<string, number>();
    routes.set(route, counts);
    const labels = { route };
    return (method, status, elapsedMs) => {
      add(counts, `${method} ${classOf(status)}`);
      seconds.observe(labels, elapsedMs / 1_000);
    };
  };
  // A route knows its pattern here; a request that is asked for it makes an object of all that its route is.
  app.addHook("onRoute", (route) => {
    const note = noteAt(route.url);
    notes.set(route.url, note);
    const noteReply = ({ method }: FastifyRequest, { statusCode, elapsedTime }: FastifyReply, done: () => void): void => {
      note(method, statusCode, elapsedTime);
      done();
    };
    route.onResponse = [noteReply, route.onResponse ?? []].flat();
  });
  app.front.onAnswered((path, status, elapsedMs) => notes.get(path)?.("GET", status, elapsedMs));
  app.addHook("onResponse", (request, { statusCode }, done) => {
    if (request.is404) add(elsewhere, ` ${classOf(statusCode)}`);
    done();
  });
}

/** Each answer adds one to a number under a short name; the series are named when somebody asks for them. */
function countAnswers(registry: Registry, routes: ReadonlyMap<string, Counts>): void {
  new Counter({
    name: "belay_http_requests_total",
    help: "Requests answered, by route pattern and class of status",
    labelNames: ["method", "route", "status"],
    registers: [registry],
    collect() {
      this.reset();
      for (const [route, counts] of routes) {
        for (const [name, count] of counts) {
          const [method = "", status = ""] = name.split(" ");
          this.inc({ method, route, status }, count);
        }
      }
    },
  });
}

function add(counts: Counts, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

const classOf = (status: number): string => `${Math.trunc(status / 100)}xx`;
