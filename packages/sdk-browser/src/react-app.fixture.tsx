/** A small application as the tests run it: on a server, and in a page. */
import type { EvaluationContext, Snapshot } from "@belay/protocol";
import { StrictMode, Suspense, startTransition, use, useLayoutEffect, useState } from "react";
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
  show(client, isHydrating);
  return client;
}

/** The same with a client of any kind. */
export function show(client: BelayClient, isHydrating = false): void {
  const root = document.getElementById("root") as HTMLElement;
  if (isHydrating) hydrateRoot(root, <App client={client} />);
  else createRoot(root).render(<App client={client} />);
}

function Waiting({ data }: { readonly data: Promise<string> }) {
  renders["waiting"] = (renders["waiting"] ?? 0) + 1;
  const layout = useFlag("pricing", "none");
  return <p id="waiting">{`${layout} ${use(data)}`}</p>;
}

/** Renders a component that asks for a flag and then waits, so that nothing of it is committed; answers what ends the wait. */
export function beginWaiting(options: ClientOptions): { readonly client: BelayClient; readonly goOn: () => void } {
  const client = createClient(options);
  let goOn = (): void => {};
  const data = new Promise<string>((resolve) => {
    goOn = () => resolve("there");
  });
  createRoot(document.getElementById("root") as HTMLElement).render(
    <StrictMode>
      <BelayProvider client={client}>
        <Suspense fallback={<p id="fallback">wait</p>}>
          <Waiting data={data} />
        </Suspense>
      </BelayProvider>
    </StrictMode>,
  );
  return { client, goOn };
}

const ROWS = 200;
const ROW_MS = 1;
/** How many answers to one flag each commit of rows showed side by side. */
const answersShown: number[] = [];
let reachTheMiddle = (): void => {};

/** Takes its time to render, so that React gives way many times before all rows are done. */
function Row({ at }: { readonly at: number }) {
  const isOn = useFlag("checkout-v2", false);
  const doneAt = performance.now() + ROW_MS;
  while (performance.now() < doneAt);
  if (at === ROWS / 2) reachTheMiddle();
  // biome-ignore lint/correctness/useExhaustiveDependencies: told anew whenever the row shows another answer
  useLayoutEffect(
    () => void answersShown.push(new Set([...document.querySelectorAll("li")].map((row) => row.textContent)).size),
    [isOn],
  );
  return <li>{String(isOn)}</li>;
}

function Rows({ started }: { readonly started: (grow: () => void) => void }) {
  const [count, setCount] = useState(1);
  useLayoutEffect(() => started(() => startTransition(() => setCount(ROWS))), [started]);
  return (
    <ul>
      {Array.from({ length: count }, (_, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: rows are their numbers
        <Row key={at} at={at} />
      ))}
    </ul>
  );
}

/**
 * Lets a list grow in a transition and, when half of it has rendered and none of that is on the page, makes somebody else
 * known; answers how many rows the page showed at that moment, and then what each commit showed.
 */
export async function changeInTransition(options: ClientOptions, next: EvaluationContext): Promise<[number, () => number[]]> {
  const client = createClient(options);
  const root = createRoot(document.getElementById("root") as HTMLElement);
  const inTheMiddle = new Promise<void>((resolve) => {
    reachTheMiddle = resolve;
  });
  const grow = await new Promise<() => void>((resolve) => {
    root.render(
      <BelayProvider client={client}>
        <Rows started={resolve} />
      </BelayProvider>,
    );
  });
  grow();
  await inTheMiddle;
  const shownThen = document.querySelectorAll("li").length;
  client.identify(next);
  return [shownThen, () => answersShown];
}
