import { createClient } from "@belay/sdk-browser";
import { BelayProvider } from "@belay/sdk-browser/react";
import { StrictMode } from "react";
import { renderToString } from "react-dom/server";
import { App } from "./app.tsx";
import { VISIT_ID, type Visit } from "./visit.ts";

/** The whole document for one visit: decided with the rules it brings, which go along for the page to start from. */
export function render(visit: Visit): string {
  // Without an address: it decides with the rules given and opens no connection.
  const client = createClient({ context: { targetingKey: visit.visitor }, bootstrap: visit.rules });
  const shop = renderToString(
    <StrictMode>
      <BelayProvider client={client}>
        <App />
      </BelayProvider>
    </StrictMode>,
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Leaf &amp; Ledger</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/style.css">
</head>
<body>
<div id="root">${shop}</div>
<script type="application/json" id="${VISIT_ID}">${JSON.stringify(visit).replaceAll("<", "\\u003c")}</script>
<script type="module" src="/page.js"></script>
</body>
</html>`;
}
