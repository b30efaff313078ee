import { busContract } from "./bus.contract.ts";
import { LocalBus } from "./local-bus.ts";

const bus = new LocalBus();

busContract("in one process", async () => bus.join());
