/* What runs in the page: the same rules as on the server decide first, then the stream brings what changed. */
import { createClient, localKeeper } from "@belay/sdk-browser";
import { BelayProvider } from "@belay/sdk-browser/react";
import { StrictMode } from "react";
import { hydrateRoot } from "react-dom/client";
import { App } from "./app.tsx";
import { VISIT_ID, type Visit } from "./visit.ts";

const { url, clientKey, visitor, rules } = JSON.parse(document.getElementById(VISIT_ID)?.textContent ?? "") as Visit;
const client = createClient({ url, clientKey, context: { targetingKey: visitor }, bootstrap: rules, keeper: localKeeper });

hydrateRoot(
  document.getElementById("root") as HTMLElement,
  <StrictMode>
    <BelayProvider client={client}>
      <App />
    </BelayProvider>
  </StrictMode>,
);
