import { Topic } from "@canopy/topic";
import type { Decoder, PublishForm, RecordBatch, RecordView } from "../src/index.ts";
import { Recorder } from "./wire.ts";

export function topicOf(name: string): Topic {
  const bytes = Buffer.from(name);
  return new Topic(bytes, 0, bytes.length, 4);
}

/** Adds the messages in these bytes to a batch. */
export function addAll(
  batch: RecordBatch,
  decoder: Decoder,
  bytes: Buffer,
  options: { topic?: Topic; clientId?: Buffer; acceptedAt?: number } = {},
): void {
  const { clientId = Buffer.from("me"), acceptedAt = 1_700_000_000_123 } = options;
  const recorder = new Recorder();
  decoder.decode(bytes, {
    publish(view) {
      const name = view.buffer.toString("utf8", view.topicStart, view.topicEnd);
      batch.add(view, options.topic ?? topicOf(name), clientId, acceptedAt);
    },
    ack: recorder.ack.bind(recorder),
    packet: recorder.packet.bind(recorder),
  });
}

export interface RecordValues {
  qos: number;
  retain: boolean;
  utf8: boolean;
  acceptedAt: number;
  expiresAt: number;
  clientId: string;
  topic: string;
  properties: Buffer;
  payload: Buffer;
}

export function valuesOf(view: RecordView): RecordValues {
  const slice = (start: number, end: number) => Buffer.from(view.bytes.slice(start, end));
  return {
    qos: view.qos,
    retain: view.retain,
    utf8: view.utf8,
    acceptedAt: view.acceptedAt,
    expiresAt: view.expiresAt,
    clientId: slice(view.clientIdStart, view.clientIdEnd).toString(),
    topic: slice(view.topicStart + 2, view.topicEnd).toString(),
    properties: slice(view.propertiesStart, view.propertiesEnd),
    payload: slice(view.payloadStart, view.payloadEnd),
  };
}

export function formOf(parts: Partial<PublishForm> = {}): PublishForm {
  return {
    version: 5,
    qos: 0,
    retain: false,
    dup: false,
    expiry: -1,
    subscriptionIds: undefined,
    alias: 0,
    omitTopic: false,
    ...parts,
  };
}
