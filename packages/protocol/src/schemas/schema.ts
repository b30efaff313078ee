import { type TSchema, Type } from "@sinclair/typebox";

/** A JSON Schema that stands for the hand-written type `T`: the interface is the source, the schema is held to it. */
export type Schema<T> = TSchema & { static: T };

/** A reference to a schema registered under its `$id`. */
export function reference<T>(id: string): Schema<T> {
  return Type.Unsafe<T>(Type.Ref(id));
}
