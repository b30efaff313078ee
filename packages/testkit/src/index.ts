export { type Admin, adminOf } from "./admin.ts";
export { chromiumPath } from "./engines/chromium.ts";
export {
  CLICKHOUSE_HINT,
  type ClickHouseCluster,
  type ClickHousePorts,
  type ClickHouseServer,
  clickHousePorts,
  hasClickHouse,
  startClickHouse,
} from "./engines/clickhouse.ts";
export { mayMissEngines, needPrograms } from "./engines/engine-process.ts";
export { hasPostgres, POSTGRES_HINT, type PostgresServer, startPostgres } from "./engines/postgres.ts";
export { hasRedis, REDIS_HINT, type RedisServer, startRedis } from "./engines/redis.ts";
export { hasZooKeeper, startZooKeeper, ZOOKEEPER_HINT, type ZooKeeper } from "./engines/zookeeper.ts";
export { type FaultProxy, type NetworkFaults, startFaultProxy } from "./fault-proxy.ts";
export { freePort } from "./free-port.ts";
export { givenMs } from "./given-time.ts";
export { inOwnNetwork, TAKE_DOWN, whyNoOwnNetwork } from "./own-network.ts";
export { type PowerCutDisk, powerCutDisk, whyNoPowerCuts } from "./power-cut.ts";
export { type PrefixProxy, startPrefixProxy } from "./prefix-proxy.ts";
export {
  type Behaviour,
  type DoorDocument,
  type DoorEvent,
  type DoorName,
  type DoorRequest,
  doorFaults,
  type SdkDoor,
  type SdkDoorOptions,
  startSdkDoor,
} from "./sdk-door.ts";
export { type Dice, seeded } from "./seeded.ts";
export { ADMIN_TOKEN, type Exit, type ServerOptions, type ServerProcess, startServer } from "./server-process.ts";
export { exposesEachOnce, followsEachChange, openShop, type SdkInShop, type Shop } from "./shop.ts";
export { type TempDir, tempDir } from "./temp-dir.ts";
