// OFREP: all flags for one user against a bare reply of the same size, what 1,000 flags cost, how soon a change is heard.
// Reads /proc, so it runs on Linux only.
import { Agent, type IncomingMessage, request } from "node:http";
import { startServer } from "@belay/testkit";
import { type Control, connectControl, ENVIRONMENT } from "./control.ts";
import { processorUs } from "./processor-time.ts";
import { compareInRounds, quantile } from "./rounds.ts";

const CONNECTIONS = 8;
const REQUESTS = 2_000;
const CHANGES = 100;
const BULK = "/ofrep/v1/evaluate/flags";
/** What the web provider of OpenFeature waits after a notice, so that several make one request. */
const WEB_PROVIDER_DEBOUNCE_MS = 50;

const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS + 1 });
const server = await startServer();
const control = await connectControl(server);
let users = 0;

await control.send("POST", "/environments", { key: "bare" });
await makeFlags(control, 0, 100);
await againstBareReply(control);
await howSoonHeard(control);
await makeFlags(control, 100, 1_000);
await costOf(control, 1_000);
agent.destroy();
await server.stop();

/** One in three a 50 % rollout, one a rule over an attribute, one a plain text. */
async function makeFlags({ send }: Control, from: number, to: number): Promise<void> {
  for (let n = from; n < to; n += 1) {
    const key = `flag-${n}`;
    const isText = n % 3 === 2;
    await send("POST", "/flags", isText ? { key, type: "string", variants: { plain: "Hello", loud: "HELLO" } } : { key });
    const rule = { id: "de", when: { attribute: "country", op: "in", value: ["DE", "AT"] }, serve: { variant: "on" } };
    const rules = n % 3 === 1 ? { rules: [rule], fallthrough: { variant: "off" } } : { rules: [] };
    const fallthrough = isText ? { fallthrough: { variant: "plain" } } : {};
    await send("PUT", `/environments/${ENVIRONMENT}/flags/${key}`, { enabled: true, ...rules, ...fallthrough });
    if (n % 3 === 0) await send("PUT", `/environments/${ENVIRONMENT}/flags/${key}/rollout`, { percentage: 50 });
  }
}

/** A reply of that many bytes, within a few: a snapshot padded to the size, which the same server holds ready as bytes. */
async function bareReply({ send }: Control, bytes: number): Promise<() => Promise<Buffer>> {
  const made = (await send("POST", "/keys", { environment: "bare", kind: "server" })) as { secret: string };
  const bare = (): Promise<Buffer> => ask("GET", "/sdk/v1/snapshot", made.secret);
  const pad = async (size: number): Promise<number> => {
    const test = { attribute: "a", op: "in", value: Array.from({ length: size }, (_, n) => `${n}`.padStart(97, "x")) };
    await send("PUT", "/environments/bare/flags/flag-0", {
      enabled: true,
      rules: [{ id: "pad", when: test, serve: { variant: "on" } }],
    });
    return (await bare()).length;
  };
  await pad(1 + Math.max(0, Math.round((bytes - (await pad(1))) / 100)));
  return bare;
}

async function againstBareReply(of: Control): Promise<void> {
  const { length } = await bulk(of.sdkKey);
  const bare = await bareReply(of, length);
  const load = (once: () => Promise<unknown>) => async (): Promise<void> => {
    let left = REQUESTS;
    const connection = async (): Promise<void> => {
      for (; left > 0; ) {
        left -= 1;
        await once();
      }
    };
    await Promise.all(Array.from({ length: CONNECTIONS }, connection));
  };
  const [evaluated, plain] = await compareInRounds(
    [
      { name: "bulk", operations: REQUESTS, run: load(() => bulk(of.sdkKey)) },
      { name: "bare", operations: REQUESTS, run: load(bare) },
    ],
    { rounds: 15, warmups: 2 },
  );
  const rate = (ns = Number.NaN): string => `${Math.round(1e9 / ns).toLocaleString("en")}/s`;
  console.log(`100 flags in bulk, ${length} bytes   ${rate(evaluated?.medianNs)}`);
  console.log(`bare reply, ${(await bare()).length} bytes          ${rate(plain?.medianNs)}`);
  console.log(
    `share of the bare rate            ${((plain?.medianNs ?? 0) / (evaluated?.medianNs ?? 1)).toFixed(2)} (goal 0.50)`,
  );
}

/** Processor time of the server, all its threads included, a request: with the evaluation, and for the bytes alone. */
async function costOf(of: Control, count: number): Promise<void> {
  const bare = await bareReply(of, (await bulk(of.sdkKey)).length);
  const each = async (once: () => Promise<unknown>): Promise<number> => {
    const run = async (): Promise<void> => {
      for (let n = 0; n < REQUESTS; n += 1) await once();
    };
    await run();
    const before = processorUs(server.pid);
    await run();
    return (processorUs(server.pid) - before) / REQUESTS;
  };
  const evaluated = await each(() => bulk(of.sdkKey));
  const plain = await each(bare);
  const parts = `${evaluated.toFixed(0)} us less ${plain.toFixed(0)} us for a bare reply of the size`;
  console.log(`${count} flags for one user          ${(evaluated - plain).toFixed(0)} us of processor time (goal 700): ${parts}`);
}

/** From sending a change to holding its evaluation, by a client that asks again at each notice without waiting. */
async function howSoonHeard({ send, sdkKey }: Control): Promise<void> {
  const { eventStreams } = JSON.parse((await bulk(sdkKey)).toString()) as {
    eventStreams: readonly [{ endpoint: { requestUri: string } }];
  };
  const stream = await listen(eventStreams[0].endpoint.requestUri);
  const times: number[] = [];
  for (let change = 0; change < CHANGES; change += 1) {
    const noticed = notice(stream);
    const sentAt = performance.now();
    await send("PUT", `/environments/${ENVIRONMENT}/flags/flag-0/rollout`, { percentage: change % 2 === 0 ? 10 : 90 });
    await noticed;
    await bulk(sdkKey);
    times.push(performance.now() - sentAt);
  }
  stream.destroy();
  const said = [0.5, 0.99].map((share) => `${quantile(times, share).toFixed(1)} ms`).join(" / ");
  console.log(`change to its new evaluation      p50 / p99 ${said}; the web provider adds ${WEB_PROVIDER_DEBOUNCE_MS} ms`);
}

function listen(path: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request(`${server.url}${path}`, { agent: false }, resolve).on("error", reject).end();
  });
}

function notice(stream: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    const hear = (chunk: Buffer): void => {
      if (!chunk.includes("refetchEvaluation")) return;
      stream.off("data", hear);
      resolve();
    };
    stream.on("data", hear);
  });
}

/** Asks for all flags as a user nobody asked for before. */
function bulk(sdkKey: string): Promise<Buffer> {
  users += 1;
  const context = { targetingKey: `user-${users}`, country: users % 2 === 0 ? "DE" : "FR", plan: "pro" };
  return ask("POST", BULK, sdkKey, JSON.stringify({ context }));
}

function ask(method: string, path: string, key: string, body?: string): Promise<Buffer> {
  const headers = {
    authorization: `Bearer ${key}`,
    ...(body === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(body) }),
  };
  return new Promise((resolve, reject) => {
    const sent = request(`${server.url}${path}`, { method, agent, headers }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on("data", (chunk: Buffer) => void chunks.push(chunk));
      answer.on("end", () => {
        if (answer.statusCode === 200) resolve(Buffer.concat(chunks));
        else reject(new Error(`${method} ${path} answered ${answer.statusCode}: ${Buffer.concat(chunks).toString()}`));
      });
    });
    sent.on("error", reject).end(body);
  });
}
