/** A small application as the tests run it: on a server, and in a page. */
import type { Snapshot } from "@belay/protocol";
import { StrictMode } from "react";
import { createRoot, hydrateRoot } from "react-dom/client";
import { type BelayClient, type ClientOptions, createClient } from "./index.ts";
import { BelayProvider, Flag, useFlag, useFlagDetails } from "./react.tsx";

/** How often each component rendered. */
export const renders: Record<string, number> = {};

function Layout() {
  renders["layout"] = (renders["layout"] ?? 0) + 1;
  return <p id="layout">{useFlag("pricing", "none")}</p>;
}

function Checkout() {
  renders["checkout"] = (renders["checkout"] ?? 0) + 1;
  return (
    <p id="checkout">
      <Flag name="checkout-v2" fallback="old">
        new
      </Flag>
    </p>
  );
}

function Why() {
  const { value, reason, revision } = useFlagDetails("checkout-v2", false);
  return <p id="why">{`${value} ${reason} ${revision}`}</p>;
}

/** Shows several flags, each in a component of its own. */
export function App({ client }: { readonly client: BelayClient }) {
  return (
    <StrictMode>
      <BelayProvider client={client}>
        <Layout />
        <Checkout />
        <Why />
      </BelayProvider>
    </StrictMode>
  );
}

/** Starts the application in the element `root`: hydrates what is in it, or renders anew. */
export function begin(options: ClientOptions & { bootstrap?: Snapshot }, isHydrating: boolean): BelayClient {
  const client = createClient(options);
  const root = document.getElementById("root") as HTMLElement;
  if (isHydrating) hydrateRoot(root, <App client={client} />);
  else createRoot(root).render(<App client={client} />);
  return client;
}
