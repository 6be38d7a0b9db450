import type { Round } from "./suite.ts";

/** How many violations of a promise are printed; all are in the history. */
const PRINTED = 8;

const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;

/** A line per fault, with the recovery times. */
export function lineOf(round: Round): string {
  const { fault, done, events, problems, seconds: length, late } = round;
  const measures = (done?.measures ?? []).map(({ what, time, limit }) => {
    const most = limit === undefined ? "" : ` (limit ${seconds(limit)})`;
    return `${what} ${seconds(time)}${most}`;
  });
  const verdict = problems.size === 0 ? "ok" : "WRONG";
  const last = late.length > 0 ? `; late: ${late.slice(0, 2).join(", ")}` : "";
  const what = `${fault}${done === undefined ? "" : ` (${done.victim})`}`;
  return `${verdict.padEnd(5)} ${what.padEnd(34)} ${length.toFixed(0).padStart(3)} s ${String(events).padStart(7)} events  ${measures.join(", ")}${last}`;
}

/** Recoveries that took longer than allowed. */
export function slowIn({ fault, done }: Round, slack: number): string[] {
  return (done?.measures ?? []).flatMap(({ what, time, limit }) =>
    limit !== undefined && time > limit * slack
      ? [`${fault}: ${what} took ${seconds(time)}, more than ${slack} × ${seconds(limit)}`]
      : [],
  );
}

export function textOf(problems: Round["problems"]): string {
  return [...problems]
    .flatMap(([promise, texts]) => [
      `VIOLATED: ${promise} (${texts.length})`,
      ...texts.slice(0, PRINTED).map((text) => `  ${text}`),
    ])
    .join("\n");
}

/** Each measure over all rounds: how often, the median, the longest, and the issue's limit. */
export function tableOf(rounds: readonly Round[]): string {
  const rows = new Map<string, { times: number[]; limit: number | undefined }>();
  for (const { fault, done } of rounds) {
    for (const { what, time, limit } of done?.measures ?? []) {
      const name = `${fault}: ${what}`;
      const row = rows.get(name) ?? { times: [], limit };
      row.times.push(time);
      rows.set(name, row);
    }
  }
  const width = Math.max(...[...rows.keys()].map((name) => name.length), 10);
  const lines = [...rows].map(([name, { times, limit }]) => {
    const sorted = times.sort((a, b) => a - b);
    const median = sorted[Math.floor(sorted.length / 2)] ?? 0;
    const cells = [seconds(median), seconds(sorted.at(-1) ?? 0), limit ? seconds(limit) : "–"];
    const numbers = cells.map((cell) => cell.padStart(9)).join(" | ");
    return `| ${name.padEnd(width)} | ${String(times.length).padStart(5)} | ${numbers} |`;
  });
  const head = `| ${"until it worked again".padEnd(width)} | times |    median |   longest |     limit |`;
  const rule = `| ${"-".repeat(width)} | ----: | --------: | --------: | --------: |`;
  return [head, rule, ...lines].join("\n");
}
