import type { EventDatabase } from "./database.ts";

/** What the server asks of the process that owns the database file. */
export interface Question {
  readonly id: number;
  readonly method: keyof EventDatabase;
  readonly args: readonly unknown[];
}

/** Asks whether the process lives. */
export interface Ping {
  readonly ping: true;
}

/** The database is open, or could not be opened; then an answer per question, in any order. */
export type Answer =
  | { readonly opened: true }
  | { readonly alive: true }
  | { readonly failed: string }
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: string };
