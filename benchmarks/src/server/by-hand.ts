/*
 * The least that a durable write behind HTTP must do: Fastify, a body held to a schema, and a row of a log and a document in
 * one SQLite transaction, synced to the disk once for all writers that came together. No rights, no rules, no snapshot, no
 * history of documents. A program of its own: `PORT` says where it listens, `FOLDER` where its file is.
 */
import { join } from "node:path";
import fastify from "fastify";
import Database from "libsql";

interface Draft {
  readonly percentage: number;
}

interface Write {
  readonly flag: string;
  readonly text: string;
  readonly done: () => void;
}

const BODY = {
  type: "object",
  required: ["percentage"],
  additionalProperties: false,
  properties: { percentage: { type: "number", minimum: 0, maximum: 100 } },
};
/** As long as Belay waits for writers that came together before. */
const GATHER_TURNS = 200;

const database = new Database(join(process.env["FOLDER"] ?? ".", "by-hand.db"));
database.exec("pragma journal_mode = wal; pragma synchronous = full;");
database.exec(`
  create table if not exists changes (id integer primary key, flag text not null, at integer not null, after text not null);
  create table if not exists documents (flag text primary key, body text not null) without rowid;
`);
const addChange = database.prepare("insert into changes (flag, at, after) values (?, ?, ?)");
const putDocument = database.prepare(
  "insert into documents (flag, body) values (?, ?) on conflict (flag) do update set body = excluded.body",
);

let waiting: Write[] = [];
let expected = 0;
let isRunning = false;

const app = fastify();
app.put<{ Params: { flag: string }; Body: Draft }>("/flags/:flag/rollout", { schema: { body: BODY } }, async (request) => {
  const { flag } = request.params;
  const { percentage } = request.body;
  await new Promise<void>((done) => {
    waiting.push({ flag, text: JSON.stringify({ enabled: true, percentage }), done });
    if (!isRunning) void commitWaiting();
  });
  return { flag, percentage };
});

process.once("SIGTERM", () => process.exit(0));
await app.listen({ host: "127.0.0.1", port: Number(process.env["PORT"]) });
console.log("ready");

async function commitWaiting(): Promise<void> {
  isRunning = true;
  await nextTurn();
  while (waiting.length > 0) {
    for (let turn = 0; turn < GATHER_TURNS && waiting.length < expected; turn += 1) await nextTurn();
    const group = waiting;
    waiting = [];
    expected = group.length;
    commit(group);
  }
  isRunning = false;
}

function commit(group: readonly Write[]): void {
  const at = Date.now();
  database.exec("begin immediate");
  for (const { flag, text } of group) {
    addChange.run(flag, at, text);
    putDocument.run(flag, text);
  }
  database.exec("commit");
  for (const { done } of group) done();
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
