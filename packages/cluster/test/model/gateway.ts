import { type Random, randomBool, randomInt, silentLogger } from "@canopy/base";
import { ClusterView, type VersionedChange, type WholeView } from "@canopy/control";
import type { Dispatch, NotTaken, PublishBatch, Push, Records, ShardPeer } from "@canopy/store";
import type { FakeTime } from "@canopy/testkit";
import { ClusterShards } from "../../src/shards/cluster-shards.ts";
import type { StoreNodes, StoreNodesListener } from "../../src/shards/nodes.ts";
import type { ModelNode } from "./node.ts";
import { idAt, qosAt, recordsOf } from "./record.ts";
import type { Channel } from "./wire.ts";

export interface Sent {
  readonly id: number;
  readonly qos: number;
  readonly shard: number;
  readonly receipt: boolean;
  readonly batch: Batch;
  readonly index: number;
  answer: number | undefined;
  isWithdrawn: boolean;
  /** The epoch under which its answer came. */
  answeredAt: number;
}

interface Batch extends PublishBatch {
  records: Records;
  isReleased: boolean;
}

/** The connections of one gateway. */
class Nodes implements StoreNodes {
  readonly #nodes = new Map<number, ModelNode>();
  #listener: StoreNodesListener | undefined = undefined;

  get(store: number): ModelNode | undefined {
    return this.#nodes.get(store);
  }

  connect(store: number, node: ModelNode): void {
    this.#nodes.set(store, node);
    this.#listener?.connected(store);
  }

  reset(store: number): void {
    const node = this.#nodes.get(store);
    if (node === undefined) return;
    this.#nodes.delete(store);
    node.cut();
    this.#listener?.disconnected(store);
  }

  connected(): Iterable<number> {
    return this.#nodes.keys();
  }

  listen(listener: StoreNodesListener): () => void {
    this.#listener = listener;
    return () => {
      this.#listener = undefined;
    };
  }
}

export interface ModelGatewayParts {
  readonly incarnation: number;
  readonly whole: WholeView;
  readonly time: FakeTime;
  readonly random: Random;
  readonly self: Channel;
  readonly complaints: string[];
}

/** A gateway with a transient subscriber to everything, and publishers. */
export class ModelGateway implements ShardPeer {
  readonly incarnation: number;
  readonly view = new ClusterView();
  readonly nodes = new Nodes();
  readonly shards: ClusterShards;
  readonly sent = new Map<number, Sent>();
  /** Ids as they came, by shard. */
  readonly received: number[][] = [];
  readonly complaints: string[];
  readonly #random: Random;
  /** Acknowledgements of pushes take their time. */
  readonly #self: Channel;
  readonly #seqs: number[] = [];
  #number = 0;

  constructor(parts: ModelGatewayParts) {
    const { incarnation, whole, time, random, self, complaints } = parts;
    this.incarnation = incarnation;
    this.#random = random;
    this.#self = self;
    this.complaints = complaints;
    this.view.load(whole);
    this.shards = new ClusterShards({
      view: this.view,
      nodes: this.nodes,
      clock: time,
      timers: time,
      random,
      logger: silentLogger,
      waitTimeout: 5_000,
      maxUnansweredBytes: 1_000_000,
      callTimeout: 60_000,
      readTimeout: 500,
    });
    this.shards.register(incarnation, this);
  }

  see(change: VersionedChange): void {
    this.view.apply([change], change.version);
  }

  publish(): void {
    const shard = randomInt(this.#random, this.view.shards);
    const count = 1 + randomInt(this.#random, 4);
    const messages = Array.from({ length: count }, () => ({
      id: this.incarnation * 1_000_000 + this.sent.size,
      qos: randomInt(this.#random, 3),
    })).map((message, i) => ({ ...message, id: message.id + i }));
    const receipts = messages.map(({ qos }) => qos === 2 && randomBool(this.#random, 0.5));
    const seq = (this.#seqs[shard] ?? 0) + 1;
    this.#seqs[shard] = seq;
    const batch: Batch = {
      shard,
      gateway: this.incarnation,
      seq,
      records: recordsOf(messages),
      receiptSessions: receipts.map((receipt) => (receipt ? 7 : 0)),
      receiptKeys: messages.map(({ id }) => id),
      isReleased: false,
    };
    for (const [index, { id, qos }] of messages.entries()) {
      const receipt = receipts[index] as boolean;
      const nothing = { answer: undefined, isWithdrawn: false, answeredAt: 0 };
      this.sent.set(id, { id, qos, shard, receipt, batch, index, ...nothing });
    }
    this.shards.publish(batch);
  }

  withdraw(): void {
    const open = [...this.sent.values()].filter(
      ({ qos, answer }) => qos > 0 && answer === undefined,
    );
    const message = open[randomInt(this.#random, open.length)];
    if (message === undefined) return;
    message.isWithdrawn = true;
    this.shards.withdraw(message.batch, message.index);
  }

  // --- what the shards say ----------------------------------------------------------------------

  answered(batch: PublishBatch, index: number, reasonCode: number): void {
    const sent = this.#at(batch, index);
    if ((batch as Batch).isReleased) this.#complain("an answer in a batch that was released");
    if (sent.qos === 0) this.#complain("QoS 0 was answered");
    if (sent.answer !== undefined) this.#complain(`${sent.id} was answered twice`);
    sent.answer = reasonCode;
    sent.answeredAt = this.view.place(batch.shard).epoch;
  }

  released(released: PublishBatch): void {
    const batch = released as Batch;
    if (batch.isReleased) this.#complain("a batch was released twice");
    for (let i = 0; i < batch.records.count; i++) {
      const { qos, answer, id } = this.#at(batch, i);
      if (qos > 0 && answer === undefined) this.#complain(`${id} was released without an answer`);
    }
    batch.isReleased = true;
    // used again by something else
    batch.records.bytes.fill(0xff);
  }

  notTaken(_batch: PublishBatch, reason: NotTaken): void {
    this.#complain(`a batch was not taken: ${reason}`);
  }

  push({ number, records, indexes, shard, epoch, readersOnly }: Push): void {
    if (number !== ++this.#number) this.#complain(`push ${number} came as ${this.#number}`);
    if (epoch < this.view.place(shard).epoch) this.#complain("a push of a former owner");
    if (readersOnly !== true) {
      for (const index of indexes) {
        if (qosAt(records, index) > 0) (this.received[shard] ??= []).push(idAt(records, index));
      }
    }
    const acknowledge = (): void => this.shards.acknowledged(this.incarnation, number);
    if (randomBool(this.#random, 0.5)) acknowledge();
    else this.#self.send(acknowledge);
  }

  dispatch(_message: Dispatch): void {}

  #at({ receiptKeys }: PublishBatch, index: number): Sent {
    return this.sent.get(receiptKeys[index] as number) as Sent;
  }

  #complain(complaint: string): void {
    this.complaints.push(`gateway ${this.incarnation}: ${complaint}`);
  }
}
