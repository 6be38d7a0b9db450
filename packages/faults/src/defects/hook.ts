/**
 * Loaded before everything else (node --import), it makes a process load the sources with one bug in
 * them: the test build of which issue 5 speaks. The product itself knows nothing of it.
 */
import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { defective, VARIABLE } from "./defect.ts";
import { defects } from "./list.ts";

// oxlint-disable-next-line node/no-process-env -- no settings here: who starts the process says which
const wanted = process.env[VARIABLE];
const defect = defects.find(({ name }) => name === wanted);
if (defect === undefined) throw new Error(`there is no defect ${wanted}`);

const sources = new Map<string, string>();
for (const edit of defect.edits) {
  const url = new URL(`../../../../${edit.file}`, import.meta.url);
  const source = sources.get(url.href) ?? readFileSync(url, "utf8");
  sources.set(url.href, defective(edit, source));
}

registerHooks({
  load: (url, context, next) => {
    const source = sources.get(url);
    if (source === undefined) return next(url, context);
    return { format: "module-typescript", source, shortCircuit: true };
  },
});
