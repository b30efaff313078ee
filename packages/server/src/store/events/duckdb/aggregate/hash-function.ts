import { murmur3 } from "@belay/core";
import { type DuckDBConnection, DuckDBScalarFunction, UINTEGER, VARCHAR } from "@duckdb/node-api";

/** What the hash of spaces is called in SQL. */
export const MURMUR3 = "belay_murmur3";

/** Teaches a connection the hash that places units, so that SQL tells arms as the SDKs do. Not kept by the database. */
export function teachHash(connection: DuckDBConnection): void {
  connection.registerScalarFunction(
    DuckDBScalarFunction.create({
      name: MURMUR3,
      parameterTypes: [VARCHAR],
      returnType: UINTEGER,
      mainFunction: (_, input, output) => {
        const texts = input.getColumnVector(0);
        for (let row = 0; row < input.rowCount; row += 1) output.setItem(row, murmur3(texts.getItem(row) as string));
        output.flush();
      },
    }),
  );
}
