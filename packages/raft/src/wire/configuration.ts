/** A configuration and what a snapshot stands for, in bytes. */
import { type ByteReader, type ByteWriter, DecodeError } from "@canopy/base";
import type { Configuration, Member, ReplicaId, SnapshotMeta } from "../core/types.ts";

export function writeMeta(writer: ByteWriter, meta: SnapshotMeta): void {
  writer.varint(meta.index);
  writer.varint(meta.term);
  writeConfiguration(writer, meta.configuration);
}

export function readMeta(reader: ByteReader): SnapshotMeta {
  return {
    index: reader.varint(),
    term: reader.varint(),
    configuration: readConfiguration(reader),
  };
}

function writeConfiguration(writer: ByteWriter, configuration: Configuration): void {
  writeIds(writer, configuration.voters);
  writeIds(writer, configuration.outgoing);
  writeIds(writer, configuration.learners);
  writeIds(writer, configuration.learnersNext);
  writer.bool(configuration.autoLeave);
  writer.varint(configuration.highest);
  writeMembers(writer, configuration.nodes);
}

function readConfiguration(reader: ByteReader): Configuration {
  return {
    voters: readIds(reader),
    outgoing: readIds(reader),
    learners: readIds(reader),
    learnersNext: readIds(reader),
    autoLeave: reader.bool(),
    highest: reader.varint(),
    nodes: readMembers(reader),
  };
}

function writeIds(writer: ByteWriter, ids: readonly ReplicaId[]): void {
  writer.varint(ids.length);
  for (const id of ids) writer.varint(id);
}

function readIds(reader: ByteReader): ReplicaId[] {
  const ids: ReplicaId[] = [];
  for (let left = reader.varint(); left > 0; left--) ids.push(reader.varint());
  return ids;
}

/** Their number, and of each its id, its node and its disk. */
export function writeMembers(writer: ByteWriter, members: ReadonlyMap<ReplicaId, Member>): void {
  writer.varint(members.size);
  for (const [id, { name, disk }] of members) {
    writer.varint(id);
    writer.string(name);
    writer.varint(disk);
  }
}

export function readMembers(reader: ByteReader): Map<ReplicaId, Member> {
  const members = new Map<ReplicaId, Member>();
  for (let left = reader.varint(); left > 0; left--) {
    const id = reader.varint();
    if (members.has(id)) throw new DecodeError(`replica ${id} is there twice`);
    const name = reader.string();
    members.set(id, { name, disk: reader.varint() });
  }
  return members;
}
