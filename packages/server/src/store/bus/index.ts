export type * from "./bus.ts";
export { LocalBus } from "./local-bus.ts";
export { postgresBus } from "./postgres-bus.ts";
export { redisBus } from "./redis-bus.ts";
export { type RedisOptions, redisClient } from "./redis-client.ts";
