import type { Role } from "@belay/protocol";
import { ROLES } from "../access/identity.ts";

/** How people sign in with the company's own accounts. */
export interface OidcSettings {
  readonly issuer: string;
  readonly clientId: string;
  /** Absent: a public client, which PKCE alone protects. */
  readonly clientSecret?: string;
  /** Claim of the ID token that the grants look at. */
  readonly roleClaim: string;
  /** In the order they are tried; the first that fits counts. */
  readonly grants: readonly Grant[];
  /** Only people with a verified e-mail address there; absent: whoever the provider lets in. */
  readonly domain?: string;
  readonly publicUrl: string;
}

/** Who has this value in the claim may do that. */
export interface Grant {
  /** `*` is everybody. */
  readonly value: string;
  readonly role: Role;
  readonly project?: string;
  readonly environment?: string;
}

/** @throws Error that names the variable and says what it may hold. */
export function readOidc(read: (name: string) => string | undefined, publicUrl: string | undefined): OidcSettings | undefined {
  const issuer = read("BELAY_OIDC_ISSUER");
  if (issuer === undefined) return undefined;
  if (!isIssuer(issuer)) throw new Error("BELAY_OIDC_ISSUER must be https://..., or http:// on this machine");
  if (publicUrl === undefined) throw new Error("BELAY_OIDC_ISSUER needs BELAY_PUBLIC_URL: the provider sends people back there");
  const clientId = read("BELAY_OIDC_CLIENT_ID");
  if (clientId === undefined) throw new Error("BELAY_OIDC_ISSUER needs BELAY_OIDC_CLIENT_ID");
  const clientSecret = read("BELAY_OIDC_CLIENT_SECRET");
  const domain = read("BELAY_OIDC_DOMAIN")?.toLowerCase();
  return {
    issuer,
    clientId,
    ...(clientSecret === undefined ? {} : { clientSecret }),
    roleClaim: read("BELAY_OIDC_ROLE_CLAIM") ?? "groups",
    grants: readGrants(read("BELAY_OIDC_ROLES")),
    ...(domain === undefined ? {} : { domain }),
    publicUrl: new URL(publicUrl).origin,
  };
}

/** What a provider on another machine says over http anybody between could have said. */
function isIssuer(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname } = new URL(text);
  return protocol === "https:" || (protocol === "http:" && ["localhost", "127.0.0.1", "[::1]"].includes(hostname));
}

/** `value=role`, `value=role@project` or `value=role@project/environment`, with commas between. */
function readGrants(text = ""): Grant[] {
  const grants = text.split(",").map((part) => GRANT.exec(part.trim())?.groups);
  return grants.map((parts, at) => {
    const { value = "", role = "", project, environment } = parts ?? {};
    if (!ROLES.includes(role as Role)) {
      throw new Error(
        `BELAY_OIDC_ROLES must hold value=role or value=role@project/environment with commas between, not "${text.split(",")[at]}"`,
      );
    }
    const scope = { ...(project === undefined ? {} : { project }), ...(environment === undefined ? {} : { environment }) };
    return { value, role: role as Role, ...scope };
  });
}

const GRANT = /^(?<value>.+)=(?<role>[a-z]+)(?:@(?<project>[\w.-]+)(?:\/(?<environment>[\w.-]+))?)?$/;
