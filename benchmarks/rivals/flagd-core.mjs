import { FlagdCore } from "@openfeature/flagd-core";
import { flagdDocument } from "./flagd-document.mjs";
import { versionOf } from "./manifest.mjs";
import { silentLogger } from "./silent-logger.mjs";

/** @type {import("../src/hot-path/rival.ts").Rival} */
export default {
  name: "@openfeature/flagd-core",
  version: versionOf("@openfeature/flagd-core"),
  answers: "sync",
  document: flagdDocument,
  async open(document) {
    const core = new FlagdCore(undefined, silentLogger);
    core.setConfigurations(document);
    return {
      context: ({ id, attributes }) => ({ targetingKey: id, ...attributes }),
      isOn: (key, context, fallback) => core.resolveBooleanEvaluation(key, fallback, context, silentLogger).value,
      variant: (key, context) => core.resolveStringEvaluation(key, "control", context, silentLogger).value,
      prepareSwap(flags, changed) {
        const text = flagdDocument(flags.map((flag) => (flag.key === changed.key ? changed : flag)));
        return () => void core.setConfigurations(text);
      },
      close() {},
    };
  },
};
