// `npm run test:compose`: builds the image and starts compose.yaml in a container engine, as root on Debian with the packages
// docker.io, docker-compose and mmdebstrap. No registry of images is asked: in the place of each image that a registry would give
// stands one made of this machine's Node and of Debian's packages. Minutes long, and so no part of `npm test`.
import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parse } from "yaml";
import { run, startEngine } from "./container-engine.mjs";
import { ROOT } from "./install.mjs";

/** @typedef {import("./container-engine.mjs").Engine} Engine */

const TOKEN = "belay-test-compose-0123456789abcdef";
const ALONE = { BELAY_ADMIN_TOKEN: TOKEN };
const ON_POSTGRES = { ...ALONE, BELAY_DATABASE_URL: "postgres://belay:belay@postgres:5432/belay" };
const ON_BOTH = { ...ON_POSTGRES, BELAY_REDIS_URL: "redis://redis:6379" };
const POSTGRES = ["--profile", "postgres"];
const BOTH = [...POSTGRES, "--profile", "redis"];
const HEALTHY_WITHIN_MS = 180_000;

const folder = mkdtempSync(join(tmpdir(), "belay-compose-"));
try {
  await within("machine", buildImages);
  await within("own", async (engine) => {
    await keepsFlagsAlone(engine);
    await keepsFlagsInPostgres(engine);
    await speaksThroughRedis(engine);
  });
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** @param {"own" | "machine"} network @param {(engine: Engine) => void | Promise<void>} work */
async function within(network, work) {
  const engine = await startEngine({ folder, network });
  try {
    await work(engine);
  } finally {
    await engine.stop();
  }
}

/** @param {Engine} engine */
function buildImages(engine) {
  const debian = join(folder, "debian.tar");
  const codename = /VERSION_CODENAME=(\w+)/.exec(readFileSync("/etc/os-release", "utf8"))?.[1] ?? "";
  run("mmdebstrap", ["--variant=essential", "--include=ca-certificates,postgresql,redis-server,libstdc++6", codename, debian]);
  engine.docker("import", debian, "belay-debian");
  const { services } = parse(readFileSync(join(ROOT, "compose.yaml"), "utf8"));
  const node = /^FROM (\S+)$/m.exec(readFileSync(join(ROOT, "Dockerfile"), "utf8"))?.[1] ?? "";
  for (const [tag, write] of /** @type {const} */ ([
    [node, writeNode],
    [services.postgres.image, writePostgres],
    [services.redis.image, writeRedis],
  ])) {
    const context = mkdtempSync(join(folder, "context-"));
    writeFileSync(join(context, "Dockerfile"), `FROM belay-debian\n${write(context)}`);
    engine.docker("build", "--network=host", "-t", tag, context);
  }
  const since = performance.now();
  engine.docker("build", "--network=host", "-t", "belaytest_belay", ROOT);
  done(`the image was built in ${seconds(since)} s`);
}

/** This machine's Node with its npm, and the certificates that it trusts. @param {string} context @returns {string} */
function writeNode(context) {
  cpSync(realpathSync(process.execPath), join(context, "node"));
  cpSync(join(dirname(process.execPath), "../lib/node_modules/npm"), join(context, "npm"), { recursive: true });
  const trusted = process.env["NODE_EXTRA_CA_CERTS"];
  if (trusted === undefined) mkdirSync(join(context, "trusted"));
  else cpSync(trusted, join(context, "trusted/trusted.crt"));
  return `
    COPY node /usr/bin/
    COPY npm /usr/lib/node_modules/npm
    COPY trusted /usr/local/share/trusted
    ${trusted === undefined ? "" : "ENV NODE_EXTRA_CA_CERTS=/usr/local/share/trusted/trusted.crt"}
    RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/bin/npm && ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/bin/npx
    RUN useradd --create-home --uid 1000 node
  `;
}

/** Takes the variables that compose.yaml gives the image of this name, and like it is not to be reached while it sets itself up. @param {string} context @returns {string} */
function writePostgres(context) {
  const program = `#!/bin/bash
    set -e
    export PATH=$(echo /usr/lib/postgresql/*/bin):$PATH
    mkdir -p /run/postgresql "$PGDATA" && chown postgres /run/postgresql "$PGDATA" && chmod 700 "$PGDATA"
    as() { setpriv --reuid=postgres --regid=postgres --init-groups "$@"; }
    if [ ! -s "$PGDATA/PG_VERSION" ]; then
      echo "$POSTGRES_PASSWORD" >/run/postgresql/password
      as initdb -U "$POSTGRES_USER" --pwfile=/run/postgresql/password --auth-local=trust --auth-host=scram-sha-256
      echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
      as pg_ctl -w start -o "-c listen_addresses=''"
      as createdb -U "$POSTGRES_USER" "$POSTGRES_DB" || true
      as pg_ctl -w stop
    fi
    exec setpriv --reuid=postgres --regid=postgres --init-groups postgres -c listen_addresses='*'
  `;
  writeFileSync(join(context, "start"), program, { mode: 0o755 });
  return `
    COPY start /start
    ENV PGDATA=/var/lib/postgresql/data
    VOLUME /var/lib/postgresql/data
    STOPSIGNAL SIGINT
    ENTRYPOINT ["/start"]
  `;
}

/** @returns {string} */
function writeRedis() {
  return 'WORKDIR /data\nVOLUME /data\nCMD ["redis-server", "--protected-mode", "no"]\n';
}

/** @param {Engine} engine */
async function keepsFlagsAlone(engine) {
  await up(engine, ALONE, []);
  ask(engine, "POST", "/flags", { key: "alone" });
  const startedAt = field(engine, "belay", ".State.StartedAt");
  engine.docker("exec", "belaytest_belay_1", "node", "-e", "process.kill(1)");
  await until(() => field(engine, "belay", ".State.StartedAt") !== startedAt, "it is started again");
  await healthy(engine);
  assert.deepEqual(flags(engine), ["alone"]);
  done("a server that ended unasked is started again");
  stopped(engine, ALONE, [], { belay: "0" });
  engine.compose(ALONE, "down");
  await up(engine, ALONE, []);
  assert.deepEqual(flags(engine), ["alone"]);
  done("its volume outlives it");
  engine.compose(ALONE, "down", "--volumes");
}

/** @param {Engine} engine */
async function keepsFlagsInPostgres(engine) {
  await up(engine, ON_POSTGRES, POSTGRES);
  ask(engine, "POST", "/flags", { key: "shared" });
  const count = "select count(*) from changes where action = 'flag.create'";
  const query = ["psql", "-U", "belay", "-Atc", count, "belay"];
  assert.equal(engine.docker("exec", "belaytest_postgres_1", ...query).trim(), "1");
  // Both at once: what the server gives back to the database at its end may find nobody there.
  stopped(engine, ON_POSTGRES, POSTGRES, { belay: "0", postgres: "0" });
  engine.compose(ON_POSTGRES, ...POSTGRES, "down");
  // Without its own volume it has nothing but what PostgreSQL kept.
  engine.docker("volume", "rm", "belaytest_belay-data");
  await up(engine, ON_POSTGRES, POSTGRES);
  assert.deepEqual(flags(engine), ["shared"]);
  done("PostgreSQL keeps the changes, and alone suffices to go on from");
}

/** @param {Engine} engine */
async function speaksThroughRedis(engine) {
  await up(engine, ON_BOTH, BOTH);
  assert.deepEqual(flags(engine), ["shared"]);
  const clients = engine.docker("exec", "belaytest_redis_1", "redis-cli", "client", "list");
  assert.equal(clients.split("\n").filter((line) => /\bsub=[1-9]/.test(line)).length, 1, clients);
  done("it listens to Redis");
  stopped(engine, ON_BOTH, BOTH, { belay: "0", postgres: "0", redis: "0" });
  engine.compose(ON_BOTH, ...BOTH, "down", "--volumes");
}

/** @param {Engine} engine @param {Record<string, string>} environment @param {readonly string[]} profiles */
async function up(engine, environment, profiles) {
  const since = performance.now();
  engine.compose(environment, ...profiles, "up", "-d");
  await healthy(engine);
  done(
    `up${["", ...profiles].join(" ")}: healthy after ${seconds(since)} s, ${field(engine, "belay", ".RestartCount")} restarts`,
  );
}

/** @param {Engine} engine */
function healthy(engine) {
  return until(() => field(engine, "belay", ".State.Health.Status") === "healthy", "the server is healthy");
}

/** @param {Engine} engine @param {Record<string, string>} environment @param {readonly string[]} profiles @param {Record<string, string>} codes */
function stopped(engine, environment, profiles, codes) {
  const since = performance.now();
  engine.compose(environment, ...profiles, "stop");
  for (const [service, code] of Object.entries(codes)) assert.equal(field(engine, service, ".State.ExitCode"), code, service);
  done(`stop${["", ...profiles].join(" ")}: all with 0, after ${seconds(since)} s`);
}

/** @param {Engine} engine @param {string} service @param {string} path @returns {string} */
function field(engine, service, path) {
  return engine.docker("inspect", "-f", `{{${path}}}`, `belaytest_${service}_1`).trim();
}

/** @param {Engine} engine @returns {string[]} */
function flags(engine) {
  return ask(engine, "GET", "/flags").items.map((/** @type {{ key: string }} */ { key }) => key);
}

/** At the port of the machine that compose.yaml names. @param {Engine} engine @param {string} method @param {string} path @param {object} [body] */
function ask(engine, method, path, body) {
  const init = {
    method,
    headers: { authorization: `Bearer ${TOKEN}`, ...(body === undefined ? {} : { "content-type": "application/json" }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  };
  const url = `http://127.0.0.1:4400/api/v1/projects/default${path}`;
  const { status, text } = JSON.parse(
    engine.inside(`
      const answer = await fetch(${JSON.stringify(url)}, ${JSON.stringify(init)});
      console.log(JSON.stringify({ status: answer.status, text: await answer.text() }));
    `),
  );
  assert.ok(status < 300, `${method} ${path}: ${status} ${text}`);
  return JSON.parse(text);
}

/** @param {() => boolean} holds @param {string} what */
async function until(holds, what) {
  for (const since = performance.now(); !holds(); await sleep(250)) {
    if (performance.now() - since > HEALTHY_WITHIN_MS) throw new Error(`not so within ${HEALTHY_WITHIN_MS} ms: ${what}`);
  }
}

/** @param {number} since @returns {string} */
function seconds(since) {
  return ((performance.now() - since) / 1000).toFixed(1);
}

/** @param {string} what */
function done(what) {
  console.log(`ok     ${what}`);
}
