// A Belay server with an empty data folder, the shop beside it, and what to type to see flags switch.
import { startServer } from "@belay/testkit";
import { setUpFlags } from "./flags.ts";
import { openShop } from "./shop.ts";

const server = await startServer();
const { clientKey } = await setUpFlags(server.url, server.adminToken);
const shop = await openShop({ url: server.url, clientKey, port: Number(process.env["PORT"] ?? 4500) });
console.log(`
  shop      ${shop.url}
  Belay     ${server.url}

Open the shop, then raise a percentage and watch the page:

  curl -X PUT ${server.url}/api/v1/projects/default/environments/production/flags/free-shipping/rollout \\
    -H 'authorization: Bearer ${server.adminToken}' -H 'content-type: application/json' -d '{"percentage": 100}'

Ctrl-C ends both.
`);
process.once("SIGINT", async () => {
  await shop.close();
  await server.stop();
});
