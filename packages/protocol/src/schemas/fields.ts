import { type TBoolean, type TInteger, type TNumber, type TOptional, type TString, Type } from "@sinclair/typebox";

/** Fields that documents on the wire share. */

/** What is not named is refused, or is not answered. */
export const closed: { readonly additionalProperties: false } = { additionalProperties: false };
export const text: TString = Type.String();
export const optionalText: TOptional<TString> = Type.Optional(text);
export const yes: TBoolean = Type.Boolean();
export const number: TNumber = Type.Number();
export const optionalNumber: TOptional<TNumber> = Type.Optional(number);
export const count: TInteger = Type.Integer({ minimum: 0 });
export const share: TNumber = Type.Number({ minimum: 0, maximum: 1 });
export const percentage: TNumber = Type.Number({ minimum: 0, maximum: 100 });
export const time: TString = Type.String({ description: "RFC 3339, in UTC" });
export const optionalTime: TOptional<TString> = Type.Optional(time);
export const revision: TInteger = Type.Integer({ minimum: 0, description: "Revision at which this last changed: its ETag" });
/** As people write it. */
export const ownerText: TString = Type.String({ minLength: 1, maxLength: 200 });
export const attributePath: TString = Type.String({ minLength: 1, maxLength: 256 });
