/*
 * What the records of a project are signed with: Ed25519, so that whoever has the public key can tell, without asking this
 * server, whether a file is as it wrote it. The private key is kept in the change log, as the secrets of webhooks are.
 */
import { createPrivateKey, createPublicKey, sign } from "node:crypto";
import type { SigningKey } from "@belay/protocol";
import { asJson, type Decision } from "../control/decision.ts";
import { projectStream } from "../control/streams.ts";
import { type FillRandom, randomText } from "../flags/salts.ts";
import type { Held, ProjectState, SigningKeyDocument } from "../state/workspace.ts";

export interface NewSigningKey {
  readonly id: string;
  readonly privateKey: string;
  readonly publicKey: string;
}

/** Before the 32 bytes of an Ed25519 key in PKCS 8: RFC 8410, section 7. */
const PKCS8_HEAD = Buffer.from("302e020100300506032b657004220420", "hex");
const SEED_BYTES = 32;
const ID_LENGTH = 12;

export function newSigningKey(fill: FillRandom): NewSigningKey {
  const der = Buffer.concat([PKCS8_HEAD, fill(new Uint8Array(SEED_BYTES))]);
  const key = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  return {
    id: randomText(ID_LENGTH, fill),
    privateKey: String(key.export({ type: "pkcs8", format: "pem" })),
    publicKey: String(createPublicKey(key).export({ type: "spki", format: "pem" })),
  };
}

export function signingKeyView(id: string, { publicKey, createdAt, retiredAt }: SigningKeyDocument): SigningKey {
  return { id, algorithm: "ed25519", publicKey, createdAt, ...(retiredAt === undefined ? {} : { retiredAt }) };
}

/** The key that signs now; `undefined` until there is one. */
export function presentKey({ signingKeys }: ProjectState): readonly [id: string, held: Held<SigningKeyDocument>] | undefined {
  return [...signingKeys].find(([, { body }]) => body.retiredAt === undefined);
}

/** 64 bytes. */
export function signatureOf(text: string, { privateKey = "" }: SigningKeyDocument): Buffer {
  return sign(null, Buffer.from(text), createPrivateKey(privateKey));
}

/** The first key of a project; nothing to do where there is one. */
export function firstSigningKey(project: ProjectState, made: NewSigningKey, now: string): Decision<SigningKey> {
  const present = presentKey(project);
  if (present === undefined) return replaceSigningKey(project, made, now);
  const [id, { body, revision }] = present;
  return { kind: "unchanged", answer: signingKeyView(id, body), revision };
}

/** From now on another key signs. The one before it is forgotten but for its public half: what it signed stays good. */
export function replaceSigningKey(project: ProjectState, made: NewSigningKey, now: string): Decision<SigningKey> {
  const { id, privateKey, publicKey } = made;
  const present = presentKey(project);
  const write = (key: string, body: SigningKeyDocument) =>
    ({ kind: "signing-key", project: project.key, key, body: asJson(body) }) as const;
  const retired = present === undefined ? [] : [write(present[0], retire(present[1].body, now))];
  return {
    kind: "edit",
    action: "signing-key.create",
    stream: { project: project.key },
    target: { kind: "signing-key", key: id },
    raises: [projectStream(project)],
    documents: [...retired, write(id, { privateKey, publicKey, createdAt: now })],
    ...(present === undefined ? {} : { before: asJson({ key: present[0] }) }),
    after: asJson({ key: id }),
    answer: signingKeyView(id, { publicKey, createdAt: now }),
    revision: project.revision + 1,
  };
}

function retire({ publicKey, createdAt }: SigningKeyDocument, retiredAt: string): SigningKeyDocument {
  return { publicKey, createdAt, retiredAt };
}
