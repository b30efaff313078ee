import { createSdkKey, writeToken } from "./access/domain.ts";
import { FIRST_TOKEN_ID } from "./access/identity.ts";
import { hashSecret, newSecret } from "./access/secrets.ts";
import type { Origin } from "./control/command.ts";
import type { ControlPlane } from "./control/control-plane.ts";
import type { Decision } from "./control/decision.ts";
import type { FillRandom } from "./flags/salts.ts";
import { projectOf } from "./http/params.ts";
import { createProject, FIRST_ENVIRONMENTS } from "./projects/domain.ts";
import type { TokenDocument, Workspace } from "./state/workspace.ts";

/** Secrets made at the first start, to be shown once. */
export interface FirstSecrets {
  /** Absent when `BELAY_ADMIN_TOKEN` gave the token: its owner knows it. */
  readonly adminToken?: string;
  readonly sdkKeys: readonly { readonly environment: string; readonly secret: string }[];
}

const FIRST_PROJECT = "default";

const ORIGIN: Origin = { actor: { id: "system", name: "Belay" }, requestId: "start" };

/**
 * Gives an empty server its first project, token and keys; resolves with `undefined` where there was one before. A
 * `BELAY_ADMIN_TOKEN` that changed since the last start takes the place of the one before.
 */
export async function prepareFirstStart(
  control: ControlPlane,
  options: { readonly adminToken?: string; readonly fillRandom: FillRandom },
): Promise<FirstSecrets | undefined> {
  const isFirst = control.workspace.projects.size === 0;
  if (options.adminToken !== undefined) await setFirstToken(control, options.adminToken);
  if (!isFirst) return undefined;
  const adminToken = options.adminToken === undefined ? await makeToken(control, options.fillRandom) : undefined;
  await control.execute({
    origin: ORIGIN,
    decide: (workspace, now) => createProject(workspace, { key: FIRST_PROJECT }, new Date(now).toISOString()),
  });
  const sdkKeys = [];
  for (const environment of FIRST_ENVIRONMENTS) {
    const secret = newSecret("server", options.fillRandom);
    await control.execute({
      origin: ORIGIN,
      decide: (workspace, now) =>
        createSdkKey(
          projectOf(workspace, FIRST_PROJECT),
          { environment, kind: "server", name: "first" },
          secret,
          new Date(now).toISOString(),
        ),
    });
    sdkKeys.push({ environment, secret: secret.secret });
  }
  return { ...(adminToken === undefined ? {} : { adminToken }), sdkKeys };
}

async function makeToken(control: ControlPlane, fillRandom: FillRandom): Promise<string> {
  const { id, secret, hash } = newSecret("token", fillRandom);
  await control.execute({ origin: ORIGIN, decide: (workspace, now) => writeAdminToken(workspace, id, hash, now) });
  return secret;
}

async function setFirstToken(control: ControlPlane, secret: string): Promise<void> {
  const hash = hashSecret(secret);
  // The same text again, revoked meanwhile or not, is no news.
  if (control.workspace.tokens.get(FIRST_TOKEN_ID)?.body.hash === hash) return;
  await control.execute({ origin: ORIGIN, decide: (workspace, now) => writeAdminToken(workspace, FIRST_TOKEN_ID, hash, now) });
}

function writeAdminToken(workspace: Workspace, id: string, hash: string, now: number): Decision<undefined> {
  const document: TokenDocument = {
    name: "First admin",
    role: "admin",
    hash,
    createdAt: new Date(now).toISOString(),
    revoked: false,
  };
  return writeToken(workspace, { id, document, action: "token.create" }, () => undefined);
}
