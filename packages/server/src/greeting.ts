import type { FirstSecrets } from "./first-start.ts";

/** What a start prints: the address always; secrets, and the first steps with them, only at the first one. */
export function greeting(url: string, dataDirectory: string, first: FirstSecrets | undefined): string {
  const running = `Belay runs at ${url}  (data in ${dataDirectory}, API reference at ${url}/docs)`;
  return first === undefined ? running : [running, "", ...secrets(first), "", ...firstSteps(url, first)].join("\n");
}

function secrets({ adminToken, sdkKeys }: FirstSecrets): string[] {
  return [
    "These are shown once; only their hashes are kept.",
    `  admin token            ${adminToken ?? "(the one in BELAY_ADMIN_TOKEN)"}`,
    ...sdkKeys.map(({ environment, secret }) => `  SDK key ${environment.padEnd(14)} ${secret}`),
  ];
}

function firstSteps(url: string, { adminToken, sdkKeys }: FirstSecrets): string[] {
  const token = adminToken ?? "$BELAY_ADMIN_TOKEN";
  const environment = sdkKeys[0]?.environment ?? "development";
  const curl = `curl -sS -H "authorization: Bearer ${token}" -H "content-type: application/json"`;
  const flags = `${url}/api/v1/projects/default`;
  return [
    "Make a flag and give it to half of all units:",
    `  ${curl} -X POST ${flags}/flags -d '{"key": "checkout-v2"}'`,
    `  ${curl} -X PUT ${flags}/environments/${environment}/flags/checkout-v2/rollout -d '{"percentage": 50}'`,
    "",
    "Ask it from Node (@belay/sdk-node):",
    `  import { createClient } from "@belay/sdk-node";`,
    `  const belay = createClient({ url: "${url}", sdkKey: "${sdkKeys[0]?.secret ?? ""}" });`,
    "  await belay.ready({ timeoutMs: 2000 });",
    `  console.log(belay.isEnabled("checkout-v2", { targetingKey: "user-42" }));`,
    "  await belay.close();",
  ];
}
