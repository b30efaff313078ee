import { spawnSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { adminOf, startServer, tempDir } from "@belay/testkit";
import { expect, it, onTestFinished } from "vitest";

const SCRIPT = fileURLToPath(new URL("./code-places.mjs", import.meta.url));

interface Scanned {
  readonly items: readonly { readonly version?: string; readonly places: readonly object[] }[];
}

it("finds where code asks for flags, archived ones too, and tells the server", async () => {
  const server = await startServer();
  onTestFinished(() => server.stop().then(() => undefined));
  const folder = await tempDir("places");
  onTestFinished(folder.remove);
  const admin = adminOf(server.url, server.adminToken);
  for (const key of ["cart", "new.checkout", "unasked"]) await admin.send("POST", "/projects/default/flags", { key });
  await admin.send("POST", "/projects/default/flags/new.checkout/archive", {});
  const files: Record<string, string> = {
    "src/shop.ts": `const cart = 1;\nif (belay.isEnabled("cart", person, false)) {}\nuse('cart', "cart", \`new.checkout\`);\n`,
    "app/Main.kt": 'client.getBooleanValue("new.checkout", false)\n',
    "node_modules/x/index.js": 'ask("cart")\n',
    ".git/config": '"cart"\n',
    "logo.bin": '\0"cart"\n',
  };
  for (const [file, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder.path, file)), { recursive: true });
    await writeFile(join(folder.path, file), text);
  }
  const run = (token: string | undefined, ...more: string[]) =>
    spawnSync(process.execPath, [SCRIPT, "--in", folder.path, "--repository", "shop", "--url", server.url, ...more], {
      encoding: "utf8",
      env: { ...process.env, BELAY_TOKEN: token },
    });
  const { status, stdout, stderr } = run(server.adminToken, "--version", "c1");
  expect([status, stdout, stderr]).toEqual([0, "4 places ask for 2 of 3 flags.\n", ""]);
  const { items } = await admin.send<Scanned>("GET", "/projects/default/code-places");
  expect(items).toMatchObject([
    {
      version: "c1",
      places: [
        { flag: "new.checkout", file: "app/Main.kt", line: 1 },
        { flag: "cart", file: "src/shop.ts", line: 2 },
        { flag: "cart", file: "src/shop.ts", line: 3 },
        { flag: "new.checkout", file: "src/shop.ts", line: 3 },
      ],
    },
  ]);
  expect(run(undefined).status).toBe(2);
  const refused = run("belay_nobody");
  expect([refused.status, refused.stderr]).toEqual([1, expect.stringContaining("answered 401")]);
}, 60_000);
