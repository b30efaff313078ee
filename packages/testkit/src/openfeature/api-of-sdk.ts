import type { ApiUnderTest, SuiteContext, SuiteDetails, SuiteEvaluation, SuiteStatus, SuiteTells } from "./world.ts";

/** What the APIs of OpenFeature's SDKs have in common. */
export interface SdkApi {
  readonly providerMetadata: { readonly name: string };
  getClient(): { readonly providerStatus: string };
  clearProviders(): Promise<void>;
}

/** The half of an API under test that does not depend on where contexts come from. */
export abstract class ApiOfSdk implements ApiUnderTest {
  readonly #api: SdkApi;

  constructor(api: SdkApi) {
    this.#api = api;
  }

  get name(): string {
    return this.#api.providerMetadata.name;
  }

  get status(): string {
    return this.#api.getClient().providerStatus;
  }

  async close(): Promise<void> {
    await this.#api.clearProviders();
  }

  abstract readonly seenContext: SuiteContext;
  abstract provide(status: SuiteStatus, tells: SuiteTells): Promise<void>;
  abstract follow(url: string, key: string): Promise<void>;
  abstract onChanged(listener: (keys: readonly string[]) => void): void;
  abstract evaluate(evaluation: SuiteEvaluation): Promise<SuiteDetails>;
  abstract track(name: string, details: Readonly<Record<string, string | number>>): void;
}
