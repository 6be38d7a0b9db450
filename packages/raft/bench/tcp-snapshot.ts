/**
 * One snapshot over a connection of its own. Each request is a frame: the offer, then parts
 * (u8 1, u64 position, bytes), then the end (u8 2). Each is answered: u8 1 and, to the offer, u64
 * received; or u8 0 and what went wrong.
 */
import type { Socket } from "node:net";
import { ByteReader, ByteWriter, Deque } from "@canopy/base";
import type { SnapshotIntake, SnapshotOffer } from "../src/transport/port.ts";
import { decodeOffer, encodeOffer } from "../src/wire/batch.ts";
import { readFrames, writeFrame } from "./frames.ts";

const PART = 1;
const FINISH = 2;

interface Waiting {
  readonly resolve: (received: number) => void;
  readonly reject: (error: Error) => void;
}

export async function sendSnapshot(socket: Socket, offer: SnapshotOffer): Promise<SnapshotIntake> {
  const waiting = new Deque<Waiting>();
  const broken = (): void => {
    for (let one = waiting.shift(); one; one = waiting.shift()) one.reject(new Error("broken off"));
  };
  socket.once("close", broken);
  readFrames(socket, (frame) => {
    const reader = new ByteReader(frame);
    const one = waiting.shift();
    if (reader.bool()) one?.resolve(reader.u64());
    else one?.reject(new Error(reader.string()));
  });
  const ask = (...parts: readonly Uint8Array[]): Promise<number> => {
    if (socket.destroyed) return Promise.reject(new Error("broken off"));
    return new Promise((resolve, reject) => {
      waiting.push({ resolve, reject });
      writeFrame(socket, ...parts);
    });
  };
  const received = await ask(encodeOffer(offer));
  return {
    received,
    part: async (position, bytes) => {
      const head = new ByteWriter();
      head.u8(PART);
      head.u64(position);
      await ask(head.view(), bytes);
    },
    finish: async () => {
      await ask(Buffer.of(FINISH));
    },
    close: async () => {
      socket.destroy();
    },
  };
}

/** What takes the frames of one who sends. */
export function receiveSnapshot(
  socket: Socket,
  open: (offer: SnapshotOffer) => Promise<SnapshotIntake>,
): (frame: Buffer) => void {
  let intake: Promise<SnapshotIntake> | undefined;
  socket.once("close", () => {
    void intake?.then((opened) => opened.close()).catch(() => {});
  });
  const take = async (frame: Buffer): Promise<number> => {
    if (intake === undefined) {
      intake = open(decodeOffer(frame));
      return (await intake).received;
    }
    const opened = await intake;
    const reader = new ByteReader(frame);
    if (reader.u8() === FINISH) await opened.finish();
    else await opened.part(reader.u64(), frame.subarray(reader.position));
    return 0;
  };
  return (frame) => {
    void take(frame).then(
      (received) =>
        writeFrame(
          socket,
          answer(true, (writer) => writer.u64(received)),
        ),
      (error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        writeFrame(
          socket,
          answer(false, (writer) => writer.string(reason)),
        );
      },
    );
  };
}

function answer(ok: boolean, write: (writer: ByteWriter) => void): Buffer {
  const writer = new ByteWriter();
  writer.bool(ok);
  write(writer);
  return writer.take();
}
