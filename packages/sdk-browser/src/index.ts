export type { ClientEvents, ClientState, FlagsChange, Logger } from "./application.ts";
export { type BelayClient, createClient, type TrackDetails } from "./create-client.ts";
export { fromValues } from "./from-values.ts";
export { type Keeper, localKeeper } from "./keeper.ts";
export { createLeanClient, type LeanClient, type Widened } from "./lean-client.ts";
export type { ClientOptions } from "./options.ts";
export type { DeliveryReport } from "./outbox.ts";
