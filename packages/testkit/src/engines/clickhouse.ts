import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { freePort } from "../free-port.ts";
import { tempDir } from "../temp-dir.ts";
import { type EngineProcess, launch, programPath } from "./engine-process.ts";

/** What to do where there is no ClickHouse: the end of a loud line. */
export const CLICKHOUSE_HINT =
  "apt-get install clickhouse-server, or set BELAY_TEST_CLICKHOUSE_URL to the address of a server that tests may use";

export interface ClickHouseOptions {
  /** The server's time zone. Default `UTC`. */
  readonly timezone?: string;
  /** Makes it one of several; without it the server stands alone. */
  readonly cluster?: ClickHouseCluster;
}

/** A cluster as each of its servers is told. */
export interface ClickHouseCluster {
  readonly name: string;
  readonly zookeeperPort: number;
  /** Replicas of each shard, each replica by its ports. */
  readonly shards: readonly (readonly ClickHousePorts[])[];
  /** Which of them this server is. */
  readonly shard: number;
  readonly replica: number;
}

export interface ClickHousePorts {
  readonly http: number;
  readonly tcp: number;
  readonly interserver: number;
}

/** A ClickHouse server of a test's own. Its data outlives `kill` and `start`, and goes away with `stop`. */
export interface ClickHouseServer {
  /** For example `http://127.0.0.1:12345`. */
  readonly url: string;
  /** Runs a statement, whatever comes back as text. @throws Error with the server's own words. */
  readonly query: (sql: string) => Promise<string>;
  readonly signal: (signal: NodeJS.Signals) => void;
  /** Kills it at once, as a crash would. */
  readonly kill: () => Promise<void>;
  /** Starts it again on its ports and data. */
  readonly start: () => Promise<void>;
  /** Ends it for good. */
  readonly stop: () => Promise<void>;
}

/** Is there a server program on this machine? */
export function hasClickHouse(): boolean {
  return programPath("clickhouse-server") !== undefined;
}

/** Ports of 127.0.0.1 for one server. */
export async function clickHousePorts(): Promise<ClickHousePorts> {
  return { http: await freePort(), tcp: await freePort(), interserver: await freePort() };
}

/**
 * Starts a server of one's own in a temporary folder, on free ports: other ones when somebody was faster.
 *
 * @param fixed the ports it must have, as a member of a cluster.
 * @throws Error with what the server wrote when it does not become ready.
 */
export async function startClickHouse(options: ClickHouseOptions = {}, fixed?: ClickHousePorts): Promise<ClickHouseServer> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startOn(fixed ?? (await clickHousePorts()), options);
    } catch (error) {
      if (fixed !== undefined || attempt === ATTEMPTS || !/in use|Net Exception/i.test(String(error))) throw error;
    }
  }
}

async function startOn(ports: ClickHousePorts, options: ClickHouseOptions): Promise<ClickHouseServer> {
  const program = programPath("clickhouse-server");
  if (program === undefined) throw new Error(`There is no clickhouse-server: ${CLICKHOUSE_HINT}.`);
  const folder = await tempDir("clickhouse");
  const config = await writeConfig(folder.path, ports, options);
  const url = `http://127.0.0.1:${ports.http}`;
  let process: EngineProcess;
  const start = async (): Promise<void> => {
    process = await launch({ command: program, args: [`--config-file=${config}`], isReady: () => answers(url) });
  };
  try {
    await start();
  } catch (error) {
    await folder.remove();
    throw error;
  }
  return {
    url,
    query: (sql) => query(url, sql),
    signal: (signal) => process.signal(signal),
    kill: () => process.kill(),
    start,
    stop: async () => {
      await process.kill();
      await folder.remove();
    },
  };
}

async function query(url: string, sql: string): Promise<string> {
  const answer = await fetch(url, { method: "POST", body: sql });
  const text = await answer.text();
  if (!answer.ok) throw new Error(text);
  return text.trimEnd();
}

async function answers(url: string): Promise<boolean> {
  try {
    const answer = await fetch(`${url}/ping`, { signal: AbortSignal.timeout(1_000) });
    return (await answer.text()) === "Ok.\n";
  } catch {
    return false; // not listening yet
  }
}

/** The files a server of any version from 18.16 on understands. */
async function writeConfig(
  folder: string,
  ports: ClickHousePorts,
  { timezone = "UTC", cluster }: ClickHouseOptions,
): Promise<string> {
  const users = join(folder, "users.xml");
  const config = join(folder, "config.xml");
  await mkdir(join(folder, "data"));
  await writeFile(users, USERS);
  await writeFile(
    config,
    `<yandex>
  <logger><level>warning</level><console>1</console></logger>
  <http_port>${ports.http}</http_port><tcp_port>${ports.tcp}</tcp_port>
  <interserver_http_port>${ports.interserver}</interserver_http_port><interserver_http_host>127.0.0.1</interserver_http_host>
  <listen_host>127.0.0.1</listen_host>
  <path>${folder}/data/</path><tmp_path>${folder}/tmp/</tmp_path><user_files_path>${folder}/files/</user_files_path>
  <users_config>${users}</users_config><default_profile>default</default_profile><default_database>default</default_database>
  <mark_cache_size>67108864</mark_cache_size><timezone>${timezone}</timezone>
  ${cluster === undefined ? "" : clusterConfig(cluster)}
</yandex>
`,
  );
  return config;
}

function clusterConfig({ name, zookeeperPort, shards, shard, replica }: ClickHouseCluster): string {
  const members = shards.map((replicas) => {
    const each = replicas.map(({ tcp }) => `<replica><host>127.0.0.1</host><port>${tcp}</port></replica>`);
    return `<shard><internal_replication>true</internal_replication>${each.join("")}</shard>`;
  });
  return `<remote_servers><${name}>${members.join("")}</${name}></remote_servers>
  <zookeeper><node><host>127.0.0.1</host><port>${zookeeperPort}</port></node><session_timeout_ms>5000</session_timeout_ms></zookeeper>
  <macros><shard>${shard}</shard><replica>${replica}</replica></macros>
  <distributed_ddl><path>/clickhouse/task_queue/ddl</path></distributed_ddl>`;
}

const USERS = `<yandex>
  <profiles><default><max_memory_usage>2000000000</max_memory_usage></default></profiles>
  <users><default>
    <password></password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota>
  </default></users>
  <quotas><default><interval>
    <duration>3600</duration><queries>0</queries><errors>0</errors>
    <result_rows>0</result_rows><read_rows>0</read_rows><execution_time>0</execution_time>
  </interval></default></quotas>
</yandex>
`;

const ATTEMPTS = 5;
