import { describe, expect, it } from "vitest";
import {
  connect,
  connectOf,
  decode,
  decodeFirst,
  decoderOf,
  packet,
  publish,
  Recorder,
  refusal,
  str,
  u16,
} from "../test/wire.ts";
import { Decoder, type PublishView } from "./index.ts";

const ping = packet(0xc0);
const stream = Buffer.concat([
  connect(),
  publish([0x01, 1], { qos: 1 }),
  ping,
  publish([], { topic: "b", payload: Buffer.alloc(300, 1) }),
  packet(0x40, u16(9), 0x10),
  packet(0x82, u16(3), 0, str("x/#"), 1),
]);

describe("Decoder: packets out of chunks", () => {
  it("finds every packet of one chunk", () => {
    expect(decodeFirst(stream).map((one) => one.type)).toEqual([
      "connect",
      "publish",
      "pingreq",
      "publish",
      4,
      "subscribe",
    ]);
  });

  it("finds the same packets wherever two chunks meet [MQTT-6.0.0-2]", () => {
    const whole = decodeFirst(stream);
    for (let cut = 0; cut <= stream.length; cut++) {
      expect(decodeFirst(stream.subarray(0, cut), stream.subarray(cut)), `cut ${cut}`).toEqual(
        whole,
      );
    }
  });

  it("finds the same packets in chunks of any one size", () => {
    const whole = decodeFirst(stream);
    for (let size = 1; size < 20; size++) {
      const chunks: Buffer[] = [];
      for (let at = 0; at < stream.length; at += size) chunks.push(stream.subarray(at, at + size));
      expect(decodeFirst(...chunks), `size ${size}`).toEqual(whole);
    }
  });

  it("uses nothing of a chunk after the call", () => {
    const decoder = new Decoder({ maxPacketSize: 1000 });
    const recorder = new Recorder();
    const chunk = Buffer.alloc(1);
    for (const byte of stream) {
      chunk[0] = byte;
      decoder.decode(chunk, recorder);
    }
    expect(recorder.seen).toEqual(decodeFirst(stream));
  });

  it("knows the version once CONNECT was decoded", () => {
    for (const version of [3, 4, 5] as const) {
      const decoder = new Decoder({ maxPacketSize: 100 });
      expect(decoder.version).toBe(0);
      decoder.decode(connectOf(version), new Recorder());
      expect(decoder.version).toBe(version);
    }
  });

  it("delivers a second CONNECT for the caller to refuse", () => {
    expect(decode(5, connect())).toMatchObject([{ type: "connect" }]);
  });

  it("lets go of the chunk after the call", () => {
    const decoder = decoderOf(5);
    const views: PublishView[] = [];
    const sink = Object.assign(new Recorder(), {
      publish: (view: PublishView) => void views.push(view),
    });
    decoder.decode(publish(), sink);
    expect(views[0]?.buffer.length).toBe(0);
  });
});

describe("Decoder: pauses", () => {
  function pausing() {
    const decoder = new Decoder({ maxPacketSize: 1000 });
    const recorder = new Recorder();
    const pauseAfter = () => {
      decoder.paused = true;
    };
    const sink = {
      publish: (view: PublishView) => {
        recorder.publish(view);
        pauseAfter();
      },
      ack: recorder.ack.bind(recorder),
      packet: recorder.packet.bind(recorder),
    };
    return { decoder, recorder, sink };
  }

  it("stops behind the packet at which the sink pauses, and goes on when told", () => {
    const { decoder, recorder, sink } = pausing();
    decoder.decode(stream, sink);
    expect(recorder.seen).toHaveLength(2);
    expect(decoder.buffered).toBeGreaterThan(0);
    decoder.resume(sink);
    expect(recorder.seen).toHaveLength(4);
    decoder.resume(sink);
    expect(recorder.seen).toEqual(decodeFirst(stream));
    expect(decoder.buffered).toBe(0);
  });

  it("keeps what comes during the pause, wherever it is cut", () => {
    for (let cut = 0; cut <= stream.length; cut++) {
      const { decoder, recorder, sink } = pausing();
      const chunk = Buffer.from(stream);
      decoder.decode(chunk.subarray(0, cut), sink);
      decoder.decode(chunk.subarray(cut), sink);
      chunk.fill(0);
      for (let i = 0; i < 3; i++) decoder.resume(sink);
      expect(recorder.seen, `cut ${cut}`).toEqual(decodeFirst(stream));
    }
  });

  it("keeps the order if it is unpaused without a resume", () => {
    const { decoder, recorder, sink } = pausing();
    decoder.decode(stream, sink);
    decoder.paused = false;
    decoder.decode(ping, sink);
    decoder.resume(sink);
    expect(recorder.seen.map((one) => one.type)).toEqual([
      ...decodeFirst(stream).map((one) => one.type),
      "pingreq",
    ]);
  });

  it("can be paused from outside in the middle of a packet", () => {
    const decoder = decoderOf(5);
    const recorder = new Recorder();
    const one = publish();
    decoder.decode(one.subarray(0, 4), recorder);
    decoder.paused = true;
    decoder.decode(one.subarray(4), recorder);
    decoder.decode(ping, recorder);
    expect(recorder.seen).toEqual([]);
    decoder.resume(recorder);
    expect(recorder.seen.map((seen) => seen.type)).toEqual(["publish", "pingreq"]);
  });
});

describe("Decoder: limits", () => {
  it("[MQTT-3.2.2-15] a packet above the Maximum Packet Size is refused by its header", () => {
    const large = publish([], { payload: Buffer.alloc(100) });
    const size = large.length;
    expect(refusal(() => decoderOf(5, size).decode(large, new Recorder()))).toBeUndefined();
    for (const available of [2, 3, 50, size]) {
      const decoder = decoderOf(5, size - 1);
      const chunk = large.subarray(0, available);
      expect(refusal(() => decoder.decode(chunk, new Recorder()))).toBe(0x95);
      expect(decoder.buffered).toBe(0);
    }
  });

  it("refuses a large CONNECT too", () => {
    const decoder = new Decoder({ maxPacketSize: 30 });
    const chunk = connect({ payload: str("x".repeat(40)) });
    expect(refusal(() => decoder.decode(chunk, new Recorder()))).toBe(0x95);
  });

  it("never holds more than the announced packet", () => {
    const large = publish([], { payload: Buffer.alloc(10_000) });
    const decoder = decoderOf(5);
    for (let at = 0; at < large.length; at += 7) {
      decoder.decode(large.subarray(at, at + 7), new Recorder());
      expect(decoder.buffered).toBe(at + 7 < large.length ? at + 7 : 0);
    }
  });
});

describe("Decoder: fixed headers", () => {
  it("[MQTT-3.1.0-1] the first packet must be CONNECT", () => {
    for (let type = 2; type < 16; type++) {
      const flags = type === 6 || type === 8 || type === 10 ? 2 : 0;
      const first = packet((type << 4) | flags, u16(1), 0);
      expect(
        refusal(() => decodeFirst(first)),
        `type ${type}`,
      ).toBe(0x82);
    }
  });

  it("refuses packets that only a server sends", () => {
    for (const type of [2, 9, 11, 13]) {
      expect(
        refusal(() => decode(5, packet(type << 4, u16(1), 0))),
        `type ${type}`,
      ).toBe(0x82);
    }
  });

  it("refuses packet type 0, and AUTH before MQTT 5", () => {
    expect(refusal(() => decode(5, packet(0)))).toBe(0x81);
    expect(refusal(() => decode(4, packet(0xf0)))).toBe(0x81);
  });

  const bodies: readonly (readonly [name: string, type: number, flags: number, body: Buffer])[] = [
    ["CONNECT", 1, 0, connect().subarray(2)],
    ["PUBACK", 4, 0, u16(1)],
    ["PUBREC", 5, 0, u16(1)],
    ["[MQTT-3.6.1-1] PUBREL", 6, 2, u16(1)],
    ["PUBCOMP", 7, 0, u16(1)],
    [
      "[MQTT-3.8.1-1] SUBSCRIBE",
      8,
      2,
      Buffer.concat([u16(1), Buffer.of(0), str("a"), Buffer.of(0)]),
    ],
    ["[MQTT-3.10.1-1] UNSUBSCRIBE", 10, 2, Buffer.concat([u16(1), Buffer.of(0), str("a")])],
    ["PINGREQ", 12, 0, Buffer.alloc(0)],
    ["[MQTT-3.14.1-1] DISCONNECT", 14, 0, Buffer.alloc(0)],
    ["[MQTT-3.15.1-1] AUTH", 15, 0, Buffer.concat([Buffer.of(0x18, 4, 0x15), str("m")])],
  ];
  it.each(bodies)("[MQTT-2.1.3-1] reserved flags of %s", (_name, type, allowed, body) => {
    for (let flags = 0; flags < 16; flags++) {
      const code = refusal(() => decode(5, packet((type << 4) | flags, body)));
      expect(code, `flags ${flags}`).toBe(flags === allowed ? undefined : 0x81);
    }
  });

  it("takes DUP on what MQTT 3.1 may send again, in that version only", () => {
    const frames = [
      packet(0x6a, u16(1)),
      packet(0x8a, u16(2), str("a"), 1),
      packet(0xaa, u16(3), str("a")),
    ];
    expect(decode(3, ping, ...frames)).toMatchObject([
      { type: "pingreq" },
      { type: 6, packetId: 1 },
      { type: "subscribe", packetId: 2, subscriptions: [{ filter: "a", qos: 1 }] },
      { type: "unsubscribe", packetId: 3, filters: ["a"] },
    ]);
    expect(decode(3, Buffer.concat([ping, ...frames]))).toHaveLength(4);
    for (const frame of frames) expect(refusal(() => decode(4, frame))).toBe(0x81);
  });

  it("refuses a remaining length of more than four bytes at its fourth byte", () => {
    expect(refusal(() => decode(5, Buffer.of(0x30, 0xff, 0xff, 0xff)))).toBeUndefined();
    expect(refusal(() => decode(5, Buffer.of(0x30, 0xff, 0xff, 0xff, 0xff)))).toBe(0x81);
  });

  it("[MQTT-1.5.5-1] the remaining length must be as short as can be (MQTT 5)", () => {
    const padded = Buffer.of(0xc0, 0x80, 0x00);
    expect(refusal(() => decode(5, padded))).toBe(0x81);
    expect(decode(4, padded)).toEqual([{ type: "pingreq" }]);
    const body = connect().subarray(2);
    const long = Buffer.concat([Buffer.of(0x10, body.length | 0x80, 0), body]);
    expect(refusal(() => decodeFirst(long))).toBe(0x81);
  });

  it("PINGREQ has nothing behind its header", () => {
    expect(decode(5, ping)).toEqual([{ type: "pingreq" }]);
    expect(refusal(() => decode(5, packet(0xc0, 0)))).toBe(0x81);
  });
});
