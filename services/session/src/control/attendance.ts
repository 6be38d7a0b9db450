/** Streams that members hold to the leader, to show that their processes are there. */
import type { Clock } from "@canopy/base";
import type { AttendSink, ControlError, ControlState, Incarnation, Watch } from "@canopy/control";
import { memberEnded } from "./errors.ts";
import type { Leases } from "./leases.ts";

interface Parts {
  readonly clock: Clock;
  readonly state: () => ControlState;
  readonly leases: Leases;
}

interface Stream {
  readonly incarnation: Incarnation;
  readonly sink: AttendSink;
  readonly gone: (now: number) => void;
}

export class Attendance {
  readonly #parts: Parts;
  readonly #streams = new Set<Stream>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  attend(incarnation: Incarnation, sink: AttendSink): Watch {
    const { clock, leases } = this.#parts;
    const stream = { incarnation, sink, gone: leases.attend(incarnation) };
    this.#streams.add(stream);
    queueMicrotask(() => this.follow());
    return {
      close: () => {
        if (this.#streams.delete(stream)) stream.gone(clock.now());
      },
    };
  }

  /** Who is no member any more is told so. */
  follow(): void {
    const { view } = this.#parts.state();
    for (const stream of this.#streams) {
      if (view.member(stream.incarnation) !== undefined) continue;
      this.#streams.delete(stream);
      stream.sink.ended(memberEnded(stream.incarnation));
    }
  }

  stop(why: ControlError): void {
    const streams = [...this.#streams];
    this.#streams.clear();
    for (const { sink } of streams) sink.ended(why);
  }
}
