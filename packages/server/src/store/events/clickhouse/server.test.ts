import { startServer, tempDir } from "@belay/testkit";
import { expect, onTestFinished, test } from "vitest";
import { exposureOf, metricOf } from "../events.fixture.ts";
import { newDatabase, withClickHouse } from "./clickhouse.fixture.ts";

withClickHouse("a server with BELAY_CLICKHOUSE_URL", (clickHouse) => {
  test("acknowledges events, keeps them in ClickHouse over its own death, and gives them back", async () => {
    const database = newDatabase();
    const env = { BELAY_CLICKHOUSE_URL: `${clickHouse().url}/${database}` };
    const folder = await tempDir("clickhouse-server");
    const dataDir = folder.path;
    let server = await startServer({ env, dataDir });
    onTestFinished(async () => {
      await server.stop();
      await folder.remove();
      await clickHouse().query(`drop database if exists ${database}`);
    });
    const sdkKey = /SDK key production\s+(\S+)/.exec(server.output())?.[1] ?? "";
    const headers = () => ({ authorization: `Bearer ${server.adminToken}` });
    const send = async (instance: string, from: number): Promise<unknown> => {
      const exposures = Array.from({ length: 100 }, (_, index) => exposureOf(from + index, { unit: `u${index % 10}` }));
      const batch = {
        batchId: `b${from}`,
        sentAtMs: Date.now(),
        sdk: "test",
        instance,
        exposures,
        metrics: [metricOf(from + 100)],
      };
      const answer = await fetch(`${server.url}/sdk/v1/events`, {
        method: "POST",
        headers: { authorization: `Bearer ${sdkKey}`, "content-type": "application/json" },
        body: JSON.stringify(batch),
      });
      return [answer.status, await answer.json()];
    };
    const pull = async (query: string): Promise<Response> =>
      fetch(`${server.url}/api/v1/projects/default/exposures?${query}`, { headers: headers() });
    const lines = async (query: string): Promise<number> => (await (await pull(query)).text()).split("\n").length - 1;

    expect(await send("one", 1)).toEqual([202, { accepted: 101, duplicates: 0, rejected: [] }]);
    expect(await lines("format=ndjson")).toBe(100);
    expect(await clickHouse().query(`select count() from ${database}.exposures`)).toBe("100");

    await server.kill();
    server = await startServer({ env, dataDir });
    expect(await send("one", 1)).toEqual([202, { accepted: 0, duplicates: 101, rejected: [] }]);
    expect(await send("two", 1)).toEqual([202, { accepted: 101, duplicates: 0, rejected: [] }]);
    expect(await lines("format=csv")).toBe(201);
    const document = Buffer.from(await (await pull("format=parquet")).arrayBuffer());
    expect([document.subarray(0, 4).toString(), document.subarray(-4).toString()]).toEqual(["PAR1", "PAR1"]);
  });
});
