import type { Configuration } from "openid-client";
import { ProblemError } from "../http/problem.ts";
import type { OidcSettings } from "./settings.ts";

/** What the provider signed about a person. */
export type Claims = Readonly<Record<string, unknown>> & { readonly iss: string; readonly sub: string };

/** What the browser keeps between leaving for the provider and coming back; it holds for one sign-in. */
export interface Leave {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
}

export interface OidcProvider {
  readonly settings: OidcSettings;
  /** Where to send the browser, and what it must bring back. */
  readonly leave: () => Promise<{ readonly url: URL; readonly leave: Leave }>;
  /**
   * The claims of whoever came back to `url`. State, nonce, PKCE, issuer, audience, times and signature have been checked.
   *
   * @throws ProblemError `sign_in_refused` when one of them is wrong, `store_unavailable` when the provider does not answer.
   */
  readonly arrive: (url: URL, leave: Leave) => Promise<Claims>;
  /** Whom this server calls the provider's. */
  readonly redirectUri: string;
}

export const CALLBACK_PATH = "/signin/oidc/callback";

/** Seconds the provider has for an answer. */
const TIMEOUT_S = 5;

/** A provider by its settings. It is looked up when somebody first signs in: the server starts without it. */
export function oidcProvider(settings: OidcSettings): OidcProvider {
  const redirectUri = `${settings.publicUrl}${CALLBACK_PATH}`;
  let found: Promise<Configuration> | undefined;
  const configuration = (): Promise<Configuration> => {
    found ??= discover(settings).catch((error: unknown) => {
      found = undefined;
      throw error;
    });
    return found;
  };
  return {
    settings,
    redirectUri,
    leave: () =>
      answered(async () => {
        const oidc = await library();
        const leave = { state: oidc.randomState(), nonce: oidc.randomNonce(), verifier: oidc.randomPKCECodeVerifier() };
        const url = oidc.buildAuthorizationUrl(await configuration(), {
          redirect_uri: redirectUri,
          scope: "openid email profile",
          state: leave.state,
          nonce: leave.nonce,
          code_challenge: await oidc.calculatePKCECodeChallenge(leave.verifier),
          code_challenge_method: "S256",
        });
        return { url, leave };
      }),
    arrive: (url, { state, nonce, verifier }) =>
      answered(async () => {
        const oidc = await library();
        const checks = { expectedState: state, expectedNonce: nonce, pkceCodeVerifier: verifier, idTokenExpected: true };
        const claims = (await oidc.authorizationCodeGrant(await configuration(), url, checks)).claims();
        if (claims === undefined) throw new ProblemError("sign_in_refused", { reason: "the provider sent no ID token" });
        return claims;
      }),
  };
}

/** Loaded when somebody first signs in: most servers do without. */
const library = (): Promise<typeof import("openid-client")> => import("openid-client");

async function discover({ issuer, clientId, clientSecret }: OidcSettings): Promise<Configuration> {
  const oidc = await library();
  // The signature is checked although the token comes straight from the provider: a proxy between may end TLS.
  const execute = [oidc.enableNonRepudiationChecks];
  if (new URL(issuer).protocol === "http:") execute.push(oidc.allowInsecureRequests);
  return oidc.discovery(new URL(issuer), clientId, clientSecret, undefined, { execute, timeout: TIMEOUT_S });
}

/** The library's errors may quote tokens: only their codes get out. */
async function answered<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof ProblemError) throw error;
    const code = String((error as { readonly code?: unknown }).code ?? "");
    if (error instanceof TypeError || AWAY.includes(code)) {
      const reason = "it does not answer as it should";
      throw new ProblemError("store_unavailable", { store: "The sign-in provider", reason, retryAfterS: 5 });
    }
    throw new ProblemError("sign_in_refused", { reason: `the provider's answer did not pass the checks (${code})` });
  }
}

const AWAY: readonly string[] = ["OAUTH_TIMEOUT", "OAUTH_RESPONSE_IS_NOT_CONFORM", "OAUTH_RESPONSE_IS_NOT_JSON"];
