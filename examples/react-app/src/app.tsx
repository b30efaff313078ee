/* The shop. Every component asks for its own flag, and renders again only when that one answers otherwise. */
import { Flag, useBelay, useFlag, useFlagDetails } from "@belay/sdk-browser/react";
import { type ReactNode, useSyncExternalStore } from "react";
import { TEAS, type Tea } from "./teas.ts";

declare module "@belay/sdk-browser/react" {
  interface Flags {
    "free-shipping": boolean;
    "tea-cards": "photo" | "facts";
    headline: string;
  }
}

export function App(): ReactNode {
  return (
    <>
      <Flag name="free-shipping">
        <p className="ribbon" id="ribbon">
          Free shipping today, for every pot.
        </p>
      </Flag>
      <header>
        <span className="brand">Leaf &amp; Ledger</span>
        <Connection />
      </header>
      <main>
        <Headline />
        <Teas />
        <Decisions />
      </main>
    </>
  );
}

function Headline(): ReactNode {
  return <h1 id="headline">{useFlag("headline", "Tea, and nothing else")}</h1>;
}

function Teas(): ReactNode {
  const cards = useFlag("tea-cards", "photo");
  return (
    <ul className={`teas ${cards}`} id="teas" data-cards={cards}>
      {TEAS.map((tea) => (
        <li key={tea.name}>
          <Card tea={tea} hasFacts={cards === "facts"} />
        </li>
      ))}
    </ul>
  );
}

function Card({ tea, hasFacts }: { readonly tea: Tea; readonly hasFacts: boolean }): ReactNode {
  const client = useBelay();
  return (
    <article>
      <div className={`swatch ${tea.hue}`} aria-hidden="true" />
      <h2>{tea.name}</h2>
      <p>{tea.taste}</p>
      {hasFacts ? (
        <dl>
          <dt>Water</dt>
          <dd>{tea.celsius} °C</dd>
          <dt>Steep</dt>
          <dd>{tea.minutes} min</dd>
        </dl>
      ) : undefined}
      <button type="button" onClick={() => client.track("added_to_cart", { value: tea.euros, properties: { tea: tea.name } })}>
        Add for € {tea.euros.toFixed(2)}
      </button>
    </article>
  );
}

/** Why each flag answers what it does: what a developer wants beside the page. */
function Decisions(): ReactNode {
  return (
    <section aria-labelledby="decisions">
      <h2 id="decisions">Decided in this page</h2>
      <div className="table">
        <table>
          <thead>
            <tr>
              <th scope="col">flag</th>
              <th scope="col">value</th>
              <th scope="col">reason</th>
            </tr>
          </thead>
          <tbody>
            <Decision flag="free-shipping" fallback={false} />
            <Decision flag="tea-cards" fallback="photo" />
            <Decision flag="headline" fallback="Tea, and nothing else" />
          </tbody>
        </table>
      </div>
    </section>
  );
}

type Asked =
  | { readonly flag: "free-shipping"; readonly fallback: boolean }
  | { readonly flag: "tea-cards"; readonly fallback: "photo" | "facts" }
  | { readonly flag: "headline"; readonly fallback: string };

function Decision({ flag, fallback }: Asked): ReactNode {
  const { value, reason } = useFlagDetails(flag, fallback);
  return (
    <tr id={`why-${flag}`}>
      <th scope="row">{flag}</th>
      <td>
        <code>{JSON.stringify(value)}</code>
      </td>
      <td>{reason}</td>
    </tr>
  );
}

function Connection(): ReactNode {
  const client = useBelay();
  const state = useSyncExternalStore(
    (changed) => client.on("state", changed),
    () => client.state,
    () => "offline" as const,
  );
  return (
    <span className={`state ${state}`} id="state">
      {state}
    </span>
  );
}
