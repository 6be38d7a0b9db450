/** A configuration and what a snapshot stands for, in bytes. */
import { type ByteReader, type ByteWriter, DecodeError } from "@canopy/base";
import type { Configuration, ReplicaId, SnapshotMeta } from "../core/types.ts";

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
  writer.varint(configuration.nodes.size);
  for (const [id, node] of configuration.nodes) {
    writer.varint(id);
    writer.string(node);
  }
}

function readConfiguration(reader: ByteReader): Configuration {
  return {
    voters: readIds(reader),
    outgoing: readIds(reader),
    learners: readIds(reader),
    learnersNext: readIds(reader),
    autoLeave: reader.bool(),
    highest: reader.varint(),
    nodes: readNodes(reader),
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

function readNodes(reader: ByteReader): Map<ReplicaId, string> {
  const nodes = new Map<ReplicaId, string>();
  for (let left = reader.varint(); left > 0; left--) {
    const id = reader.varint();
    if (nodes.has(id)) throw new DecodeError(`replica ${id} is there twice`);
    nodes.set(id, reader.string());
  }
  return nodes;
}
