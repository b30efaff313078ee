import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { needPrograms } from "@belay/testkit";
import { expect, it } from "vitest";
import { parse } from "yaml";

/** No container engine runs in these tests: what can be read of the two files is held to the repository. `npm run test:compose` runs them. */
const ROOT = fileURLToPath(new URL("..", import.meta.url));
const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");

/** Instructions of a Dockerfile, lines that go on put together, comments left out. */
const instructions: readonly (readonly [string, string])[] = read("Dockerfile")
  .replace(/\\\n\s*/g, "")
  .split("\n")
  .filter((line) => line !== "" && !line.startsWith("#"))
  .map((line) => [line.slice(0, line.indexOf(" ")), line.slice(line.indexOf(" ") + 1)]);
const all = (name: string): string[] => instructions.filter(([word]) => word === name).map(([, rest]) => rest);

it("the image has two stages of a Node the server runs on, and of the first only what was deployed", () => {
  expect(all("FROM")).toEqual(["node:20-bookworm-slim AS build", "node:20-bookworm-slim"]);
  expect(all("COPY")).toEqual([". .", "--from=build /deployed /belay"]);
  const major = Number(/\d+/.exec(JSON.parse(read("package.json")).engines.node)?.[0]);
  expect(major).toBe(20);
  const pnpm = new Set(all("RUN").flatMap((line) => line.match(/pnpm@[\d.]+/g) ?? []));
  expect([...pnpm]).toHaveLength(1);
  expect(all("RUN").some((line) => line.endsWith("tsc -b packages/server"))).toBe(true);
  expect(read(".dockerignore").split("\n")).toEqual(expect.arrayContaining(["**/node_modules", ".git", "belay-data"]));
});

it("it runs the server's own program as a user without rights, on its port, and asks it whether it is ready", () => {
  const { bin, files } = JSON.parse(read("packages/server/package.json"));
  expect(JSON.parse(all("CMD").at(-1) ?? "")).toEqual(["node", bin["belay-server"].replace("./", "")]);
  expect(files).toContain("dist/**/*.js");
  const words = instructions.map(([word]) => word);
  expect(all("USER")).toEqual(["node"]);
  expect(words.indexOf("USER")).toBeLessThan(words.indexOf("CMD"));
  expect(all("EXPOSE")).toEqual(["4400"]);
  expect(all("HEALTHCHECK")[0]).toContain("http://127.0.0.1:4400/health/ready");
  expect(existsSync(join(ROOT, "packages/server/src/main.ts"))).toBe(true);
  expect(all("ENV").join(" ")).toContain("BELAY_PORT=4400 BELAY_DATA=/data");
  expect(all("VOLUME")).toEqual(["/data"]);
});

it("compose starts the server alone; each engine is a profile of its own, and every variable is one the server reads", () => {
  const { services, volumes } = parse(read("compose.yaml"));
  const profiles = Object.fromEntries(
    Object.entries<{ profiles?: string[] }>(services).map(([name, service]) => [name, service.profiles]),
  );
  expect(profiles).toEqual({ belay: undefined, postgres: ["postgres"], redis: ["redis"], clickhouse: ["clickhouse"] });
  const { belay } = services;
  expect([belay.build, belay.ports]).toEqual([".", ["127.0.0.1:4400:4400"]]);
  const known = new Set(read("packages/server/src/config.ts").match(/BELAY_\w+/g));
  expect(Object.keys(belay.environment).filter((name) => !known.has(name))).toEqual([]);
  const mounted = Object.values<{ volumes?: string[] }>(services).flatMap((service) => service.volumes ?? []);
  expect(mounted.map((volume) => volume.split(":")[0])).toEqual(Object.keys(volumes));
});

it("compose itself reads it: the server alone gets the variables there are, the others empty", (context) => {
  needPrograms(context, "docker-compose");
  const read = execFileSync("docker-compose", ["--file", join(ROOT, "compose.yaml"), "config"], {
    encoding: "utf8",
    env: { PATH: process.env["PATH"], BELAY_DATABASE_URL: "postgres://belay:belay@postgres:5432/belay" },
  });
  const { services } = parse(read);
  expect(services.belay).toMatchObject({
    environment: {
      BELAY_ADMIN_TOKEN: "",
      BELAY_CLICKHOUSE_URL: "",
      BELAY_DATABASE_URL: "postgres://belay:belay@postgres:5432/belay",
      BELAY_REDIS_URL: "",
    },
    restart: "unless-stopped",
    stop_grace_period: "10s",
  });
  // Where an engine may not raise the limit, asking for one keeps the container from starting; Node takes all it is given.
  expect(services.belay.ulimits).toBeUndefined();
});
