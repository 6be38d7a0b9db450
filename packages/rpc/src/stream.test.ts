import { assert } from "@canopy/base";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Frame } from "./frame.ts";
import { FrameStream, type StreamHandler } from "./stream.ts";

const WINDOW = 100;
const LONGEST = 60;

function unwanted(error: Error | undefined): never {
  throw new Error("the stream ended", { cause: error });
}

/** One end: its frames wait on the way, and each holds the next up until it has left. */
class End {
  readonly stream: FrameStream;
  readonly way: Frame[] = [];
  readonly left: (() => void)[] = [];
  readonly taken: number[] = [];
  readonly got: number[] = [];
  acknowledged = 0;
  ready = 0;
  isRefused = false;

  constructor() {
    const write = (frame: Frame, done: () => void): void => {
      this.way.push(frame);
      this.left.push(done);
    };
    this.stream = new FrameStream({ write, end: () => {}, fail: unwanted }, WINDOW);
  }

  get handler(): StreamHandler {
    return {
      onMessage: (message, number) => {
        assert(number === this.got.length + 1, "numbers follow one another");
        this.got.push(message.readUInt32BE());
      },
      onAcknowledged: (number) => {
        assert(number > this.acknowledged, "acknowledgements grow");
        this.acknowledged = number;
      },
      onReady: () => {
        assert(this.isRefused, "who was not refused need not be told");
        this.isRefused = false;
        this.ready++;
      },
      onClosed: unwanted,
    };
  }

  send(value: number, size: number): void {
    const message = Buffer.alloc(size);
    message.writeUInt32BE(value);
    if (this.stream.send(message)) this.taken.push(value);
    else this.isRefused = true;
    assert(this.stream.unacknowledgedBytes < WINDOW + LONGEST, "one may go beyond, by itself");
  }
}

/** What happens next at one end. */
const steps = fc.record({
  at: fc.nat(1),
  what: fc.constantFrom("send", "send", "send", "mark", "flush", "leave", "arrive", "acknowledge"),
  size: fc.integer({ min: 4, max: LONGEST }),
});

function joined(): readonly [End, End] {
  const [a, b] = [new End(), new End()];
  a.stream.open(Buffer.from("open"), a.handler);
  b.stream.begin(b.handler);
  return [a, b];
}

/** `other` sends what `end` receives. */
function step(end: End, other: End, what: string, size: number, value: number): void {
  if (what === "send") end.send(value, size);
  else if (what === "flush") end.stream.flush();
  else if (what === "leave") end.left.shift()?.();
  else if (what === "acknowledge") end.stream.acknowledge(end.got.length);
  else if (what === "mark") {
    const mark = Buffer.alloc(4);
    mark.writeUInt32BE(value);
    if (end.stream.sendMark(mark)) end.taken.push(value);
  } else {
    const frame = other.way.shift();
    if (frame !== undefined) end.stream.receive(frame);
  }
}

test("whatever the order of things, messages arrive in order, and never more than the window is out", () => {
  fc.assert(
    fc.property(fc.array(steps, { minLength: 40, maxLength: 120 }), (script) => {
      const ends = joined();
      let value = 0;
      const run = (at: number, what: string, size = 4): void =>
        step(ends[at] as End, ends[1 - at] as End, what, size, ++value);
      for (const { at, what, size } of script) run(at, what, size);
      for (let round = 0; round < 200; round++) {
        for (const what of ["flush", "leave", "arrive", "acknowledge"]) {
          run(0, what);
          run(1, what);
        }
      }
      const [a, b] = ends;
      expect(b.got).toEqual(a.taken);
      expect(a.got).toEqual(b.taken);
      for (const { stream, isRefused } of ends) {
        expect(stream.acknowledged).toBe(stream.sent);
        expect(stream.unacknowledgedBytes).toBe(0);
        expect(isRefused).toBe(false);
      }
    }),
  );
});

test("what can't be ends the stream", () => {
  const failed: string[] = [];
  const broken = (): FrameStream => {
    const wire = {
      write: () => {},
      end: () => {},
      fail: (error: Error) => failed.push(error.message),
    };
    const stream = new FrameStream(wire, WINDOW);
    stream.begin({ onMessage: () => {}, onClosed: (error) => failed.push(String(error)) });
    return stream;
  };
  const frame: Frame = {
    opening: undefined,
    window: 0,
    acknowledged: 0,
    first: 0,
    messages: [],
    last: false,
  };
  broken().receive({ ...frame, first: 2, messages: [Buffer.from("x")] });
  broken().receive({ ...frame, acknowledged: 1 });
  expect(failed).toEqual([
    "message 2 after 0",
    "RpcError: message 2 after 0",
    "acknowledges 1, not sent yet",
    "RpcError: acknowledges 1, not sent yet",
  ]);
});
