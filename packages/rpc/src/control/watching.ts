/** The control log on its way to one watcher, and its attendance: the serving side. */
import type { Control, Version, VersionedChange, Watch, WholeView } from "@canopy/control";
import { decodeMessage, encodeMessage } from "../definition.ts";
import {
  AttendOpeningSchema,
  WatchEventSchema,
  WatchOpeningSchema,
} from "../gen/canopy/control/v1/control_pb.ts";
import type { OpenHandler } from "../handlers.ts";
import type { RpcStream, StreamHandler } from "../stream.ts";
import { toChange, toWhole } from "./values.ts";

export function watching(control: Control): OpenHandler {
  return (bytes, stream) => {
    const { after } = decodeMessage(WatchOpeningSchema, bytes);
    return new Watching(control, stream, Number(after));
  };
}

/**
 * One who has no credit is not watched for: nothing is kept for it but the version that it has, from
 * which on it is told what follows when it has taken what it was sent.
 */
class Watching implements StreamHandler {
  readonly #control: Control;
  readonly #stream: RpcStream;
  /** What was sent. */
  #version: Version;
  /** The latest watch, here before it has begun; undefined: there is none now. */
  #current: { watch?: Watch } | undefined;

  constructor(control: Control, stream: RpcStream, after: Version) {
    this.#control = control;
    this.#stream = stream;
    this.#version = after;
    this.#start();
  }

  onMessage(_message: Buffer, number: number): void {
    this.#stream.acknowledge(number);
  }

  onReady(): void {
    if (this.#current === undefined) this.#start();
  }

  onClosed(): void {
    this.#stop();
  }

  #start(): void {
    const current: { watch?: Watch } = {};
    this.#current = current;
    const tell = (version: Version, event: () => Uint8Array): void => {
      if (this.#current !== current) return;
      if (this.#stream.send(event())) this.#version = version;
      else this.#stop();
    };
    current.watch = this.#control.watch(this.#version, {
      whole: (view) => tell(view.version, () => encodeWhole(view)),
      changes: (changes, version) => tell(version, () => encodeChanges(changes, version)),
      ended: (error) => {
        if (this.#current === current) this.#stream.close(error);
      },
    });
    // It may have been too much at once.
    if (this.#current !== current) current.watch.close();
  }

  #stop(): void {
    this.#current?.watch?.close();
    this.#current = undefined;
  }
}

function encodeWhole(view: WholeView): Uint8Array {
  return encodeMessage(WatchEventSchema, { event: { case: "whole", value: toWhole(view) } });
}

function encodeChanges(changes: readonly VersionedChange[], version: Version): Uint8Array {
  const value = { changes: changes.map(toChange), version: BigInt(version) };
  return encodeMessage(WatchEventSchema, { event: { case: "changes", value } });
}

export function attending(control: Control): OpenHandler {
  return (bytes, stream) => {
    const { incarnation } = decodeMessage(AttendOpeningSchema, bytes);
    const attendance = control.attend(Number(incarnation), {
      ended: (error) => stream.close(error),
    });
    return {
      onMessage: (_message, number) => stream.acknowledge(number),
      onClosed: () => attendance.close(),
    };
  };
}
