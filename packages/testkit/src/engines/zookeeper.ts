import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { freePort } from "../free-port.ts";
import { tempDir } from "../temp-dir.ts";
import { launch, programPath } from "./engine-process.ts";

/** What to do where there is no ZooKeeper: the end of a loud line. */
export const ZOOKEEPER_HINT = "apt-get install zookeeper";

/** A ZooKeeper of a test's own, of one member. */
export interface ZooKeeper {
  readonly port: number;
  readonly stop: () => Promise<void>;
}

/** Is ZooKeeper on this machine, as Debian packages it? */
export function hasZooKeeper(): boolean {
  return programPath("java") !== undefined && existsSync(JAR);
}

/** Starts one in a temporary folder on a free port. @throws Error with what it wrote when it does not become ready. */
export async function startZooKeeper(): Promise<ZooKeeper> {
  const folder = await tempDir("zookeeper");
  const port = await freePort();
  const config = join(folder.path, "zoo.cfg");
  await mkdir(join(folder.path, "data"));
  await writeFile(
    config,
    [
      "tickTime=500",
      `dataDir=${join(folder.path, "data")}`,
      `clientPort=${port}`,
      "clientPortAddress=127.0.0.1",
      "admin.enableServer=false",
      "4lw.commands.whitelist=ruok",
      "",
    ].join("\n"),
  );
  const classPath = "/etc/zookeeper/conf:/usr/share/java/*";
  const main = "org.apache.zookeeper.server.quorum.QuorumPeerMain";
  const { kill } = await launch({
    command: programPath("java") ?? "java",
    args: ["-Xmx256m", "-cp", classPath, main, config],
    isReady: () => isFine(port),
  });
  return {
    port,
    stop: async () => {
      await kill();
      await folder.remove();
    },
  };
}

/** Asks what ZooKeeper's own scripts ask. */
function isFine(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write("ruok"));
    socket.setTimeout(1_000, () => socket.destroy());
    socket.on("data", (answer) => resolve(answer.toString() === "imok"));
    socket.on("error", () => resolve(false));
    socket.on("close", () => resolve(false));
  });
}

const JAR = "/usr/share/java/zookeeper.jar";
