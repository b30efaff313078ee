import { once } from "node:events";
import { createServer, request as httpRequest, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { basename, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { tempDir } from "@belay/testkit";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { batchOf, exposureOf, metricOf, TEN_OCLOCK } from "../store/events/events.fixture.ts";
import { ANALYST, type Doors, openDoors, SDK_BEARER } from "./doors.fixture.ts";

let doors: Doors;

/** What a spreadsheet would run, by its first characters, and harmless neighbours. */
const FORMULAS = [
  "=1+1",
  "+1",
  "-1",
  "@SUM(A1)",
  "\t=1",
  "\r=1",
  "＝1",
  "＋1",
  "－1",
  "＠1",
  "−1",
  "  =1",
  "\ufeff=1",
  "\u00a0=1",
  "=cmd|' /C calc'!A0",
];
const HARMLESS = ["user-1", "a=b", 'q"uote', "comma,comma", "line\nbreak", "ünïcode", "'quoted"];

beforeAll(async () => {
  doors = await openDoors();
  const units = [...FORMULAS, ...HARMLESS];
  const exposures = units.map((unit, index) => exposureOf(index + 1, { unit, attributes: { note: unit } }));
  await doors.events.append(batchOf({ exposures, metrics: [metricOf(100, { value: -5 }), metricOf(101, { name: "=evil" })] }));
  await doors.events.append(
    batchOf({ environment: "staging", exposures: [exposureOf(1, { unit: "in-staging" })], receivedAtMs: TEN_OCLOCK + 60_000 }),
  );
});
afterAll(() => doors.close());

const EXPOSURES = FORMULAS.length + HARMLESS.length + 1;

const get = (path: string, headers: Record<string, string> = {}) =>
  doors.app.inject({ url: `/api/v1/projects/default/${path}`, headers: { ...ANALYST, ...headers } });

function rowsOf(text: string): Record<string, unknown>[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe("formats", () => {
  test("fault 50: NDJSON by default, every text exact, rows and lag in headers", async () => {
    const answer = await get("exposures?environment=production");
    expect(answer.statusCode).toBe(200);
    expect(answer.headers).toMatchObject({
      "content-type": "application/x-ndjson; charset=utf-8",
      "belay-rows": String(EXPOSURES - 1),
      "belay-lag-ms": "0",
      "cache-control": "no-store",
    });
    const rows = rowsOf(answer.payload);
    expect(rows.map((row) => row["unit"])).toEqual([...FORMULAS, ...HARMLESS]);
    expect(rows.map((row) => row["attributes"])).toEqual([...FORMULAS, ...HARMLESS].map((note) => ({ note })));
  });

  test("fault 50: CSV as in RFC 4180, with every cell that begins like a formula behind an apostrophe and no other", async () => {
    const answer = await get("exposures?environment=production", { accept: "text/csv" });
    expect(answer.headers["content-type"]).toBe("text/csv; charset=utf-8; header=present");
    const [header = [], ...rows] = parseCsv(answer.payload);
    expect(header.join(",")).toBe(
      "id,time,received_at,project,environment,revision,flag,variant,rule,experiment,release,unit,differs,attributes,sdk,instance,seq,epoch,clock_offset_ms,cursor",
    );
    const at = header.indexOf("unit");
    expect(rows.map((row) => row[at])).toEqual([...FORMULAS.map((unit) => `'${unit}`), ...HARMLESS]);
    expect(rows.every((row) => row.length === header.length)).toBe(true);
    expect(rows.map((row) => JSON.parse(row[header.indexOf("attributes")] ?? "") as unknown)).toEqual(
      [...FORMULAS, ...HARMLESS].map((note) => ({ note })),
    );
    expect(rows[0]?.[header.indexOf("rule")]).toBe("");
  });

  test("fault 50: CSV of metric events: a negative number stays a number, a name that is a formula does not", async () => {
    const [header = [], first = [], second = []] = parseCsv((await get("metric-events?format=csv")).payload);
    expect(header.join(",")).toBe(
      "id,time,received_at,project,environment,name,unit,value,properties,sdk,instance,seq,clock_offset_ms,cursor",
    );
    expect([first[header.indexOf("value")], second[header.indexOf("name")]]).toEqual(["-5.0", "'=evil"]);
  });

  test.each([
    ["?format=csv", "application/x-ndjson", "text/csv"],
    ["?format=ndjson", "text/csv", "application/x-ndjson"],
    ["", "*/*", "application/x-ndjson"],
    ["", "text/html, text/csv;q=0.5", "text/csv"],
    ["", "application/json", "application/x-ndjson"],
  ])("%s with accept %s gives %s", async (query, accept, type) => {
    expect(String((await get(`exposures${query}`, { accept })).headers["content-type"])).toContain(type);
  });

  test("gzip when asked, the same bytes inside", async () => {
    const plain = await get("exposures");
    const zipped = await get("exposures", { "accept-encoding": "br, gzip;q=0.8" });
    expect(zipped.headers["content-encoding"]).toBe("gzip");
    expect(gunzipSync(zipped.rawPayload).equals(plain.rawPayload)).toBe(true);
    for (const refusing of ["identity", "gzip;q=0", "br"]) {
      expect((await get("exposures", { "accept-encoding": refusing })).headers["content-encoding"]).toBeUndefined();
    }
  });
});

describe("questions", () => {
  test.each([
    ["exposures?unit=user-1", 1],
    ["exposures?environment=staging", 1],
    ["exposures?variant=treatment&flag=checkout&experiment=checkout-test", EXPOSURES],
    ["exposures?release=none", 0],
    ["exposures?from=2026-11-22T10:01:00Z", 1],
    ["exposures?to=2026-11-22T10:01:00Z", EXPOSURES - 1],
    ["exposures?from=2026-11-22T11:01:00%2B01:00&to=2026-11-23", 1],
    ["exposures?limit=5", 5],
    ["metric-events?name=purchase", 1],
  ])("%s brings %d rows", async (path, count) => {
    const answer = await get(path);
    expect(rowsOf(answer.payload)).toHaveLength(count);
    if (path.includes("limit")) return;
    expect((await get(path.replace("?", "/estimate?"))).json()).toMatchObject({ rows: count, lagMs: 0 });
  });

  test.each([
    ["exposures?units=x", 422, "unknown_field"],
    ["exposures?name=x", 422, "unknown_field"],
    ["metric-events?flag=x", 422, "unknown_field"],
    ["exposures?limit=0", 422, "invalid_field"],
    ["exposures?limit=x", 422, "invalid_field"],
    ["exposures?from=yesterday", 422, "invalid_field"],
    ["exposures?to=2026-13-01", 422, "invalid_field"],
    ["exposures?format=xml", 422, "invalid_field"],
    ["exposures?cursor=abc", 400, "invalid_cursor"],
  ])("%s is refused", async (path, status, code) => {
    expect((await get(path)).json()).toMatchObject({ status, code });
  });

  test.each(["exposures", "exposures/estimate", "metric-events", "exports/2026-11-22"])(
    "%s of an environment that is not there is refused",
    async (path) => {
      expect((await get(`${path}?environment=nowhere`)).json()).toMatchObject({ status: 404, code: "environment_not_found" });
    },
  );

  test("a format that is not there, and no token, are refused", async () => {
    expect((await get("exposures", { accept: "application/xml" })).json()).toMatchObject({ status: 406, code: "not_acceptable" });
    expect((await doors.app.inject({ url: "/api/v1/projects/default/exposures" })).statusCode).toBe(401);
  });

  test("a token for one environment sees that one: by default, and not another when it asks", async () => {
    const staging = { authorization: `Bearer ${JSON.stringify({ environments: ["staging"] })}` };
    expect(rowsOf((await get("exposures", staging)).payload).map((row) => row["unit"])).toEqual(["in-staging"]);
    expect((await get("exposures/estimate", staging)).json()).toMatchObject({ rows: 1, lagMs: 0 });
    expect((await get("exposures?environment=production", staging)).json()).toMatchObject({
      status: 404,
      code: "environment_not_found",
    });
  });

  test("what one client sent, its pull shows at once: 20 of 20", async () => {
    for (let seq = 1; seq <= 20; seq += 1) {
      const payload = {
        batchId: `b${seq}`,
        sentAtMs: 1,
        sdk: "s",
        instance: "writer",
        exposures: [exposureOf(seq, { unit: `own-${seq}` })],
      };
      const sent = await doors.app.inject({ method: "POST", url: "/sdk/v1/events", headers: SDK_BEARER, payload });
      expect(sent.statusCode).toBe(202);
      expect(rowsOf((await get(`exposures?unit=own-${seq}`)).payload)).toHaveLength(1);
    }
  });
});

describe("long pulls", () => {
  const ROWS = 60_000;

  beforeAll(async () => {
    for (let start = 1; start <= ROWS; start += 5_000) {
      const exposures = Array.from({ length: 5_000 }, (_, index) =>
        exposureOf(start + index, { flag: "long", unit: `long-${start + index}` }),
      );
      await doors.events.append(batchOf({ instance: "long", exposures }));
    }
    await doors.app.listen({ host: "127.0.0.1", port: 0 });
  });

  async function open(query: string, socketPath?: string): Promise<IncomingMessage> {
    const { port } = doors.app.server.address() as AddressInfo;
    const call = httpRequest({
      ...(socketPath === undefined ? { host: "127.0.0.1", port } : { socketPath }),
      path: `/api/v1/projects/default/exposures?flag=long${query}`,
      headers: ANALYST,
    }).end();
    const [answer] = (await once(call, "response")) as [IncomingMessage];
    return answer;
  }

  /**
   * The same doors on a local socket. The kernel keeps about 200 KB between its two ends, always; between the ends of a TCP
   * connection it keeps what it has learned to, up to tens of megabytes, and would hide how much the server made.
   */
  async function listenLocally(): Promise<string> {
    const folder = await tempDir("pull");
    const path = process.platform === "win32" ? `\\\\.\\pipe\\${basename(folder.path)}` : join(folder.path, "doors");
    const server = createServer((request, response) => doors.app.routing(request, response));
    onTestFinished(async () => {
      server.close();
      await folder.remove();
    });
    await once(server.listen(path), "listening");
    return path;
  }

  test("cut off again and again while events arrive, and resumed by the last row's cursor: nothing lost, nothing twice", async () => {
    const seen: unknown[] = [];
    let cursor = "";
    let cuts = 0;
    for (let isWhole = false; !isWhole; ) {
      const answer = await open(cursor);
      let text = "";
      isWhole = true;
      for await (const chunk of answer as AsyncIterable<Buffer>) {
        text += chunk.toString("latin1");
        if (text.length < 2_000_000 || cuts === 8) continue;
        cuts += 1;
        isWhole = false;
        answer.destroy();
        break;
      }
      const rows = rowsOf(text.slice(0, text.lastIndexOf("\n") + 1));
      seen.push(...rows.map((row) => row["unit"]));
      cursor = `&cursor=${String(rows.at(-1)?.["cursor"])}`;
      await doors.events.append(batchOf({ instance: "noise", exposures: [exposureOf(cuts + 1, { flag: "noise" })] }));
    }
    expect(cuts).toBe(8);
    expect(seen).toEqual(Array.from({ length: ROWS }, (_, index) => `long-${index + 1}`));
  });

  test("a reader who does not read holds back the pages: two at most wait for it", async () => {
    const pull = doors.events.pull;
    let made = 0;
    async function* counted(pages: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
      for await (const page of pages) {
        made += page.length;
        yield page;
      }
    }
    const spy = vi.spyOn(doors.events, "pull").mockImplementation(async (request) => {
      const answer = await pull.call(doors.events, request);
      return { ...answer, pages: counted(answer.pages) };
    });
    const answer = await open("", await listenLocally());
    answer.pause();
    await new Promise((resolve) => setTimeout(resolve, 500));
    const heldBack = made;
    let read = 0;
    for await (const chunk of answer as AsyncIterable<Buffer>) read += chunk.length;
    spy.mockRestore();
    expect(read).toBe(made);
    expect(read).toBeGreaterThan(20_000_000);
    expect(heldBack).toBeLessThan(5_000_000);
  });
});

/** RFC 4180, strictly: a quote inside a bare cell or text after a closing quote is an error. */
function parseCsv(text: string): string[][] {
  const cell = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/y;
  const rows: string[][] = [[]];
  while (cell.lastIndex < text.length) {
    const at = cell.lastIndex;
    const match = cell.exec(text);
    if (match === null) throw new Error(`no CSV at ${at}: ${text.slice(at, at + 40)}`);
    rows.at(-1)?.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? "");
    if (match[3] === "\r\n") rows.push([]);
  }
  return rows.slice(0, -1);
}
