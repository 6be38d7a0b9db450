// Prints "<passed> <failed> <skipped>" from vitest's JSON report:
// `node scripts/count-tests.mjs <report> <vitest's exit status>`.
//
// A file that cannot even be loaded has no tests to count and counts as one failure, and so does a
// run that failed without saying which test did (an unhandled rejection, a crash, no report).

import { readFileSync } from "node:fs";

const [file = "", status = "1"] = process.argv.slice(2);
const count = { passed: 0, failed: 0, skipped: 0 };

/** @returns {{ status: string, assertionResults: { status: string }[] }[]} */
function readReport() {
  try {
    return JSON.parse(readFileSync(file, "utf8")).testResults;
  } catch {
    return [];
  }
}

for (const { status: fileStatus, assertionResults } of readReport()) {
  for (const test of assertionResults) {
    if (test.status === "passed") count.passed++;
    else if (test.status === "failed") count.failed++;
    else count.skipped++;
  }
  const hasFailure = assertionResults.some((test) => test.status === "failed");
  if (fileStatus === "failed" && !hasFailure) count.failed++;
}
if (status !== "0" && count.failed === 0) count.failed++;
console.log(count.passed, count.failed, count.skipped);
