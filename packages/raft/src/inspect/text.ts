/** A folder's report for people, and for programs. */
import type { Configuration, Member, ReplicaId } from "../core/types.ts";
import {
  type FolderReport,
  type GroupReport,
  isSound,
  type SegmentReport,
  type SnapshotReport,
} from "./report.ts";

export function reportText(report: FolderReport, withFrames: boolean): string {
  const { directory, disk, format, segments, groups, snapshots, foundings } = report;
  const lines = [`${directory}: disk ${disk}, cluster format ${format}`];
  lines.push(verdict(report));
  lines.push("", "segments");
  for (const segment of segments) lines.push(...segmentText(segment, withFrames));
  for (const group of groups) lines.push("", ...groupText(group));
  for (const { group, replica, members } of foundings) {
    lines.push(
      "",
      `group ${group}: replica ${replica}, not created: all first voters have to meet`,
    );
    lines.push(`  met: ${membersText(members)}`);
  }
  lines.push("", "snapshots");
  for (const snapshot of snapshots) lines.push(...snapshotText(snapshot));
  return `${lines.join("\n")}\n`;
}

function verdict(report: FolderReport): string {
  if (report.refused !== undefined) return `DAMAGED: a start is refused: ${report.refused}`;
  return isSound(report) ? "sound" : "DAMAGED: see below";
}

/** Maps as objects, file contents left out. */
export function reportJson(report: FolderReport): string {
  const plain = (_key: string, value: unknown): unknown =>
    value instanceof Map ? Object.fromEntries(value) : value;
  return `${JSON.stringify(report, plain, 2)}\n`;
}

function segmentText(segment: SegmentReport, withFrames: boolean): string[] {
  const { file, bytes, content, frames, damage } = segment;
  const [first, last] = [frames[0]?.number, frames.at(-1)?.number];
  const numbers = first === undefined ? "no frames" : `frames ${first} to ${last}`;
  const lines = [`  ${file}: ${numbers}, content up to ${content} of ${bytes} bytes`];
  if (damage !== undefined) lines.push(`    DAMAGED: ${damage}`);
  if (!withFrames) return lines;
  for (const { offset, bytes: size, number, records } of frames) {
    lines.push(`    frame ${number} at ${offset}, ${size} bytes`);
    for (const record of records) lines.push(`      ${record}`);
  }
  return lines;
}

function groupText(group: GroupReport): string[] {
  const { hardState, base, prevIndex, prevTerm, last, runs, change } = group;
  const lines = [
    `group ${group.group}: replica ${group.replica}`,
    `  term ${hardState.term}, vote ${hardState.vote}, commit ${hardState.commit}`,
    `  entries ${prevIndex + 1} to ${last}, behind ${prevIndex} of term ${prevTerm}`,
  ];
  for (const { from, term, segment } of runs) {
    lines.push(`    from ${from}: term ${term}, in segment ${segment}`);
  }
  const origin = group.installed ? "installed snapshot" : "began with";
  lines.push(`  ${origin} ${base.index}/${base.term}: ${configurationText(base.configuration)}`);
  if (change !== undefined) {
    const { index, configuration } = change;
    const how = index <= hardState.commit ? "committed" : "not known to be committed";
    lines.push(`  changed by entry ${index} (${how}): ${configurationText(configuration)}`);
  }
  return lines;
}

function snapshotText({ file, bytes, chunks, meta, damage }: SnapshotReport): string[] {
  const lines = [`  ${file}: ${bytes} bytes, ${chunks} chunks`];
  if (meta !== undefined) {
    const { index, term, configuration } = meta;
    lines.push(`    index ${index}, term ${term}: ${configurationText(configuration)}`);
  }
  if (damage !== undefined) lines.push(`    DAMAGED: ${damage}`);
  return lines;
}

function configurationText(configuration: Configuration): string {
  const { voters, outgoing, learners, learnersNext, highest, nodes } = configuration;
  const parts = [`voters ${voters.join(",") || "none"}`];
  if (outgoing.length > 0) parts.push(`joint with ${outgoing.join(",")}`);
  if (learners.length > 0) parts.push(`learners ${learners.join(",")}`);
  if (learnersNext.length > 0) parts.push(`learners next ${learnersNext.join(",")}`);
  const places = membersText(nodes);
  return `${parts.join(", ")}, highest id ${highest}${places && `, ${places}`}`;
}

function membersText(members: ReadonlyMap<ReplicaId, Member>): string {
  return Array.from(members, ([id, { name, disk }]) => `${id}=${name} (disk ${disk})`).join(" ");
}
