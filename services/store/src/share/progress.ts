import { ByteReader, ByteWriter, DecodeError, RangeSet } from "@canopy/base";
import type { Offset } from "@canopy/store";

const VERSION = 1;

/** What of a group's queue in one shard is finished. */
export interface GroupProgress {
  /** Everything up to here is finished, but for `unfinished` and `kept`. */
  readonly position: Offset;
  readonly unfinished: RangeSet;
  /**
   * QoS 2 deliveries that belong to sessions for good: when their session does not know them any
   * more it has ended, and they are finished [MQTT-4.8.2-5]. Some may be above the position.
   */
  readonly kept: RangeSet;
  /** Finished above the position. */
  readonly ahead: RangeSet;
}

export function encodeProgress(progress: GroupProgress): Uint8Array {
  const writer = new ByteWriter(64);
  writer.u8(VERSION);
  writer.varint(progress.position);
  progress.unfinished.encode(writer);
  progress.kept.encode(writer);
  progress.ahead.encode(writer);
  return writer.take();
}

export function decodeProgress(bytes: Uint8Array): GroupProgress {
  const reader = new ByteReader(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
  const version = reader.u8();
  if (version !== VERSION) throw new DecodeError(`progress of version ${version}`);
  const position = reader.varint();
  const unfinished = RangeSet.decode(reader);
  const kept = RangeSet.decode(reader);
  const ahead = RangeSet.decode(reader);
  reader.expectEnd();
  return { position, unfinished, kept, ahead };
}
