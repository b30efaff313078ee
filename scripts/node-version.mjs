/** The oldest Node that runs this repository; older ones stop here with a sentence instead of a stack trace. */
const OLDEST_MAJOR = 20;

/** @returns {void} ends the process with status 1 when Node is too old. */
export function requireNode() {
  const major = Number(process.versions.node.split(".")[0]);
  if (major >= OLDEST_MAJOR) return;
  console.error(`Belay needs Node ${OLDEST_MAJOR} or newer; this is Node ${process.versions.node}.`);
  process.exit(1);
}
