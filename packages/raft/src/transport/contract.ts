/**
 * The contract suite of the port {@link Transport}: a way for hosts to reach each other is done when
 * it passes. Call it in a test file of the transport.
 */
import { describe, expect, test } from "vitest";
import type {
  Batch,
  NodeName,
  SnapshotIntake,
  SnapshotOffer,
  Transport,
  TransportHandler,
} from "./port.ts";

/** One node of a test, its transport reachable by the others but not started. */
export interface TransportNode {
  readonly transport: Transport;
  /** Ends it as the end of its process would: nobody is told anything but by the network. */
  end(): Promise<void>;
}

/** Nodes that know each other by name; one that is made again under its name is a new process. */
export interface TransportHarness {
  /** Everything is cleaned up at the end of the test. */
  readonly node: (name: NodeName, handler: TransportHandler) => Promise<TransportNode>;
  /** Asks until it is true; rejects after some seconds. */
  readonly waitFor: (condition: () => boolean) => Promise<unknown>;
}

const DISK = 77;

function batch(from: NodeName, token: number, bytes = 0): Batch {
  const data = Buffer.alloc(bytes, token);
  const entries = bytes === 0 ? [] : [{ index: 1, term: 1, kind: 1 as const, data }];
  const append = { type: "append", from: 1, to: 2, term: 1, prevIndex: 0, prevTerm: 0 } as const;
  return {
    from,
    disk: DISK,
    envelopes: [{ group: 7, message: { ...append, entries, commit: token } }],
    beats: [{ kind: 1, group: 3, from: 1, to: 2, term: 4, commit: token, context: 6 }],
    hellos: [{ type: "ask", token }],
  };
}

const tokenOf = ({ hellos }: Batch): number => (hellos[0]?.type === "ask" ? hellos[0].token : 0);

function offerOf(size: number): SnapshotOffer {
  const nodes = new Map([[1, { name: "a", disk: DISK }]]);
  const none = { outgoing: [], learners: [], learnersNext: [], autoLeave: false };
  const configuration = { voters: [1], ...none, highest: 1, nodes };
  return { group: 7, from: 1, to: 2, term: 5, meta: { index: 9, term: 4, configuration }, size };
}

/** Records what comes, and takes no snapshots. */
class Recorder implements TransportHandler {
  readonly batches: Batch[] = [];
  readonly unreachable: NodeName[] = [];

  get tokens(): readonly number[] {
    return this.batches.map(tokenOf);
  }

  onBatch(got: Batch): void {
    this.batches.push(got);
  }

  onUnreachable(node: NodeName): void {
    this.unreachable.push(node);
  }

  onSnapshot(_from: NodeName, _disk: number, _offer: SnapshotOffer): Promise<SnapshotIntake> {
    return Promise.reject(new Error("not now"));
  }
}

/** A snapshot's receiver, whose calls wait until they are let go. */
class Intake implements SnapshotIntake {
  readonly received: number;
  readonly parts: { readonly position: number; readonly bytes: Buffer }[] = [];
  finished = 0;
  closed = 0;
  fails: string | undefined;
  hold: Promise<void> = Promise.resolve();

  constructor(received = 0) {
    this.received = received;
  }

  async part(position: number, bytes: Uint8Array): Promise<void> {
    this.parts.push({ position, bytes: Buffer.from(bytes) });
    await this.hold;
    if (this.fails !== undefined) throw new Error(this.fails);
  }

  async finish(): Promise<void> {
    this.finished++;
  }

  async close(): Promise<void> {
    this.closed++;
  }
}

class Receiver extends Recorder {
  readonly intake: Intake;
  offered: readonly unknown[] = [];

  constructor(intake: Intake) {
    super();
    this.intake = intake;
  }

  override async onSnapshot(...offered: [NodeName, number, SnapshotOffer]): Promise<Intake> {
    this.offered = offered;
    return this.intake;
  }
}

function errorOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}

/** Declares the suite's tests for one transport. `makeHarness` is called once in each test. */
export function transportContract(name: string, makeHarness: () => TransportHarness): void {
  describe(`${name}: the Transport contract`, () => {
    describe("batches", () => {
      batchTests(makeHarness);
    });
    describe("snapshots", () => {
      snapshotTests(makeHarness);
    });
  });
}

/** Sends the batches of tokens from 1, each when it is taken, and once in a while. */
async function sendUntil(
  { waitFor }: TransportHarness,
  transport: Transport,
  arrived: () => boolean,
): Promise<void> {
  let token = 0;
  await waitFor(() => {
    transport.send("b", batch("a", ++token));
    return arrived();
  });
}

function batchTests(makeHarness: () => TransportHarness): void {
  test("arrive whole and in order, both ways", async () => {
    const harness = makeHarness();
    const [atA, atB] = [new Recorder(), new Recorder()];
    const a = await harness.node("a", atA);
    const b = await harness.node("b", atB);
    const sent = Array.from({ length: 50 }, (_, i) => batch("a", i + 1, i * 1000));
    for (const one of sent) expect(a.transport.send("b", one)).toBe(true);
    expect(b.transport.send("a", batch("b", 1))).toBe(true);
    await harness.waitFor(() => atB.batches.length === 50 && atA.batches.length === 1);
    expect(atB.batches).toEqual(sent);
    expect(atA.tokens).toEqual([1]);
    expect(atB.unreachable).toEqual([]);
  });

  test("to a node that does not run are lost, and that is told", async () => {
    const harness = makeHarness();
    const atA = new Recorder();
    const a = await harness.node("a", atA);
    a.transport.send("b", batch("a", 1));
    await harness.waitFor(() => {
      a.transport.send("b", batch("a", 2));
      return atA.unreachable.length > 0;
    });
    expect(new Set(atA.unreachable)).toEqual(new Set(["b"]));
    const atB = new Recorder();
    await harness.node("b", atB);
    await sendUntil(harness, a.transport, () => atB.batches.length > 0);
  });

  test("go on, in order, when the other node has come back as another process", async () => {
    const harness = makeHarness();
    const [atA, before, after] = [new Recorder(), new Recorder(), new Recorder()];
    const a = await harness.node("a", atA);
    const b = await harness.node("b", before);
    await sendUntil(harness, a.transport, () => before.batches.length > 5);
    await b.end();
    await harness.waitFor(() => atA.unreachable.includes("b"));
    await harness.node("b", after);
    await sendUntil(harness, a.transport, () => after.batches.length > 5);
    for (const { tokens } of [before, after]) {
      expect(tokens).toEqual(tokens.toSorted((x, y) => x - y));
    }
  });

  test("are refused when too much waits, and taken again later", async () => {
    const harness = makeHarness();
    const a = await harness.node("a", new Recorder());
    const atB = new Recorder();
    await harness.node("b", atB);
    const long = batch("a", 1, 4 << 20);
    // Nothing leaves within one turn of the event loop, so this ends.
    let taken = 0;
    while (a.transport.send("b", long)) taken++;
    expect(taken).toBeGreaterThan(1);
    await harness.waitFor(() => atB.batches.length >= taken);
    await harness.waitFor(() => a.transport.send("b", batch("a", 2)));
    await harness.waitFor(() => atB.tokens.at(-1) === 2);
  });

  test("are not taken after the end", async () => {
    const harness = makeHarness();
    const a = await harness.node("a", new Recorder());
    const atB = new Recorder();
    const b = await harness.node("b", atB);
    await sendUntil(harness, a.transport, () => atB.batches.length > 0);
    await a.transport.stop();
    expect(a.transport.send("b", batch("a", 1))).toBe(false);
    await harness.waitFor(() => {
      b.transport.send("a", batch("b", 1));
      return atB.unreachable.includes("a");
    });
  });
}

function snapshotTests(makeHarness: () => TransportHarness): void {
  async function pair(intake: Intake) {
    const harness = makeHarness();
    const receiver = new Receiver(intake);
    const a = await harness.node("a", new Recorder());
    const b = await harness.node("b", receiver);
    return { ...harness, harness, a, b, receiver };
  }

  test("arrive part by part, each settled when it has been taken", async () => {
    const intake = new Intake();
    const { a, receiver, waitFor } = await pair(intake);
    const offer = offerOf(600_000);
    const sending = await a.transport.openSnapshot("b", DISK, offer);
    expect(sending.received).toBe(0);
    expect(receiver.offered).toEqual(["a", DISK, offer]);
    const { promise, resolve } = Promise.withResolvers<void>();
    intake.hold = promise;
    let isTaken = false;
    const part = sending.part(0, Buffer.alloc(300_000, "x")).then(() => {
      isTaken = true;
    });
    await waitFor(() => intake.parts.length === 1);
    expect(isTaken).toBe(false);
    resolve();
    await part;
    await sending.part(300_000, Buffer.alloc(300_000, "y"));
    expect(intake.parts).toEqual([
      { position: 0, bytes: Buffer.alloc(300_000, "x") },
      { position: 300_000, bytes: Buffer.alloc(300_000, "y") },
    ]);
    expect(intake.finished).toBe(0);
    await sending.finish();
    expect(intake.finished).toBe(1);
    await sending.close();
    await waitFor(() => intake.closed === 1);
  });

  test("go on where an attempt before has broken off", async () => {
    const { a } = await pair(new Intake(1234));
    const sending = await a.transport.openSnapshot("b", DISK, offerOf(600_000));
    expect(sending.received).toBe(1234);
    await sending.close();
  });

  test("may be refused", async () => {
    const harness = makeHarness();
    const a = await harness.node("a", new Recorder());
    await harness.node("b", new Recorder());
    await expect(a.transport.openSnapshot("b", DISK, offerOf(1))).rejects.toThrow("not now");
  });

  test("to a node that does not run are not opened", async () => {
    const a = await makeHarness().node("a", new Recorder());
    await expect(a.transport.openSnapshot("b", DISK, offerOf(1))).rejects.toBeInstanceOf(Error);
  });

  test("end where the receiver fails, and where either side is gone", async () => {
    const failing = new Intake();
    failing.fails = "the disk is full";
    const one = await pair(failing);
    const refused = await one.a.transport.openSnapshot("b", DISK, offerOf(10));
    await expect(refused.part(0, Buffer.from("x"))).rejects.toThrow("the disk is full");
    await refused.close();
    await one.waitFor(() => failing.closed === 1);

    const left = new Intake();
    const two = await pair(left);
    await two.a.transport.openSnapshot("b", DISK, offerOf(10));
    await two.a.end();
    await two.waitFor(() => left.closed === 1);

    const held = new Intake();
    held.hold = new Promise(() => {});
    const three = await pair(held);
    const cut = await three.a.transport.openSnapshot("b", DISK, offerOf(10));
    const lost = errorOf(cut.part(0, Buffer.from("x")));
    await three.waitFor(() => held.parts.length === 1);
    await three.b.end();
    expect(await lost).toBeInstanceOf(Error);
    await cut.close();
  });

  test("hold up no batches", async () => {
    const intake = new Intake();
    const { a, harness, receiver } = await pair(intake);
    intake.hold = new Promise(() => {});
    const sending = await a.transport.openSnapshot("b", DISK, offerOf(10));
    const lost = errorOf(sending.part(0, Buffer.alloc(1 << 20)));
    await sendUntil(harness, a.transport, () => receiver.batches.length > 0);
    await sending.close();
    expect(await lost).toBeInstanceOf(Error);
  });
}
