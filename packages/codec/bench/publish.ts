// Rates of the hot path with mqtt-packet beside it:
//   node --conditions=source packages/codec/bench/publish.ts
import { Topic } from "@canopy/topic";
import { generate, parser } from "mqtt-packet";
import {
  Decoder,
  type PacketSink,
  type PublishForm,
  type QoS,
  RecordBatch,
  RecordView,
  writePublish,
} from "../src/index.ts";

const TOPIC = "sensors/0042/tmp";
const PER_CHUNK = 600;
const ROUNDS = 4_000;

const payload = Buffer.alloc(64, "x");
const topic = new Topic(Buffer.from(TOPIC), 0, TOPIC.length, 16);
const clientId = Buffer.from("publisher-0001");
const protocolVersion = 5;

const connect = generate({ cmd: "connect", protocolVersion, clientId: "bench", clean: true });

function chunkOf(qos: QoS, properties: object | undefined): Buffer {
  const packets = Array.from({ length: PER_CHUNK }, (_, i) =>
    generate(
      {
        cmd: "publish",
        topic: TOPIC,
        payload,
        qos,
        dup: false,
        retain: false,
        messageId: i + 1,
        ...(properties && { properties }),
      },
      { protocolVersion },
    ),
  );
  return Buffer.concat(packets);
}

function report(name: string, round: () => void, rounds = ROUNDS): void {
  for (let i = 0; i < rounds / 8; i++) round();
  let best = 0;
  for (let run = 0; run < 5; run++) {
    const start = process.hrtime.bigint();
    for (let i = 0; i < rounds; i++) round();
    const seconds = Number(process.hrtime.bigint() - start) / 1e9;
    best = Math.max(best, (rounds * PER_CHUNK) / seconds / 1e6);
  }
  process.stdout.write(`${name.padEnd(44)}${best.toFixed(2).padStart(8)} M/s\n`);
}

function decoderFor(): Decoder {
  const decoder = new Decoder({ maxPacketSize: 1 << 20 });
  decoder.decode(connect, { publish() {}, ack() {}, packet() {} });
  return decoder;
}

function measure(name: string, qos: QoS, properties?: object): void {
  const chunk = chunkOf(qos, properties);
  let seen = 0;
  const counting: PacketSink = {
    publish(view) {
      seen += view.payloadEnd - view.payloadStart;
    },
    ack() {},
    packet() {},
  };
  const scanner = decoderFor();
  report(`${name}: decode`, () => scanner.decode(chunk, counting));

  const batch = new RecordBatch();
  const acceptedAt = 1_700_000_000_000;
  const recording: PacketSink = {
    publish(view) {
      batch.add(view, topic, clientId, acceptedAt);
    },
    ack() {},
    packet() {},
  };
  const recorder = decoderFor();
  report(`${name}: decode + RecordBatch.add`, () => {
    batch.reset();
    recorder.decode(chunk, recording);
  });

  const out = Buffer.allocUnsafe(1 << 20);
  const view = new RecordView();
  const form: PublishForm = {
    version: 5,
    qos,
    retain: false,
    dup: false,
    expiry: -1,
    subscriptionIds: undefined,
    alias: 0,
    omitTopic: false,
  };
  for (const version of [4, 5] as const) {
    form.version = version;
    report(`${name}: RecordView.set + writePublish v${version}`, () => {
      let at = 0;
      for (let i = 0; i < batch.count; i++) {
        view.set(batch.bytes, batch.starts[i] ?? 0, batch.ends[i] ?? 0);
        at = writePublish(out, at, view, form, 1 + i);
      }
      seen += at;
    });
  }

  const theirs = parser({ protocolVersion });
  theirs.on("packet", () => seen++);
  report(`${name}: mqtt-packet parse`, () => theirs.parse(chunk), ROUNDS / 20);
  const packet = {
    cmd: "publish" as const,
    topic: TOPIC,
    payload,
    qos,
    dup: false,
    retain: false,
    ...(properties && { properties }),
  };
  report(
    `${name}: mqtt-packet generate`,
    () => {
      for (let i = 0; i < PER_CHUNK; i++) {
        seen += generate({ ...packet, messageId: i + 1 }, { protocolVersion }).length;
      }
    },
    ROUNDS / 20,
  );
  if (seen === 0) throw new Error("nothing was measured");
}

measure("QoS 0", 0);
measure("QoS 1", 1);
measure("QoS 1, 3 properties", 1, {
  messageExpiryInterval: 60,
  contentType: "text/plain",
  userProperties: { unit: "celsius" },
});
