import type { EpochMs, Role, SdkKeyKind } from "@belay/protocol";
import type {} from "fastify";

/** What may be done, least first; each role may do what the ones before it may. */
export const ROLES: readonly Role[] = ["viewer", "analyst", "operator", "editor", "admin"];

/** Id of the token that `BELAY_ADMIN_TOKEN` sets: the only one whose text is not ours and names no id. */
export const FIRST_TOKEN_ID = "first";

/** Who calls `/api`: a person or a machine behind an access token, or a browser signed in with one. */
export interface Actor {
  /** Id of the token; never the token itself. */
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  /** Absent: every project. */
  readonly projects?: readonly string[];
  /** Absent: every environment of those projects. */
  readonly environments?: readonly string[];
  /** Absent: the token itself was sent. */
  readonly session?: { readonly id: string; readonly endsAtMs: EpochMs };
}

/** Who calls `/sdk`: an application behind an SDK key, bound to one environment of one project. */
export interface SdkIdentity {
  /** Id of the key; never the key itself. */
  readonly id: string;
  readonly project: string;
  readonly environment: string;
  /** `server` sees the full snapshot, `client` only what browsers may see, `remote` answers and no rules. */
  readonly kind: SdkKeyKind;
}

declare module "fastify" {
  interface FastifyRequest {
    /** Set by the access hooks of `/api` routes. */
    actor: Actor | undefined;
    /** Set by the access hooks of `/sdk` routes. */
    sdk: SdkIdentity | undefined;
  }
}
