/** A gateway that sees every word of a store process, also what a real one would not listen to. */
import { silentLogger, systemClock, systemRandom, systemTimers } from "@canopy/base";
import { LeaseKeeper } from "@canopy/cluster";
import { encodeRecord, RecordBatch } from "@canopy/codec";
import type { ReadonlyView } from "@canopy/control";
import { RpcChannel, StoreLink } from "@canopy/rpc";
import type { PublishBatch, Shards } from "@canopy/store";
import { testScope, waitFor } from "@canopy/testkit";
import { TopicTable } from "@canopy/topic";
import { RecordingPeer } from "../harness.ts";
import { SHARDS, type Stores } from "./stores.ts";

export class Witness {
  readonly #topics = new TopicTable(SHARDS);
  readonly #peer: RecordingPeer;
  readonly #gateway: number;
  readonly #view: ReadonlyView;
  readonly #port: Shards;
  /** Of the last batch to each shard. */
  readonly #seqs = new Map<number, number>();

  private constructor(gateway: number, view: ReadonlyView, port: Shards) {
    this.#view = view;
    this.#gateway = gateway;
    this.#port = port;
    this.#peer = new RecordingPeer(gateway, port);
    port.register(gateway, this.#peer);
    port.known(gateway, gateway);
  }

  /** Attached to this life of a store process. */
  static async of(stores: Stores, store: number): Promise<Witness> {
    const scope = testScope();
    const around = { clock: systemClock, timers: systemTimers, random: systemRandom };
    const keeper = new LeaseKeeper({
      ...around,
      kind: "gateway",
      name: "witness",
      address: "",
      disk: "",
      control: stores.nodes.control,
      owner: { expired() {}, renewed() {}, ended() {}, behind() {} },
    });
    const gateway = await keeper.join();
    scope.defer(() => keeper.stop());
    // It obeys nothing, and says that it does.
    stores.view.listen((_changes, version) => keeper.acknowledge(version));
    const address = stores.view.member(store)?.address;
    const channel = new RpcChannel({ address: () => address, logger: silentLogger });
    const topics = new TopicTable(SHARDS);
    const link = new StoreLink({ channel, store, topics: () => topics, logger: silentLogger });
    scope.defer(() => channel.stop());
    scope.defer(() => link.stop());
    await channel.start();
    await link.start();
    const port = await waitFor(() => link.port, { what: "the link to the store process" });
    return new Witness(gateway, stores.view, port);
  }

  /** What it has said. */
  get heard(): readonly string[] {
    return this.#peer.trace;
  }

  /** One message at QoS 1. */
  publish(topicName: string): void {
    const topic = this.#topics.internString(topicName);
    if (topic === undefined) throw new Error(`no topic name: ${topicName}`);
    const record = encodeRecord({
      topic,
      payload: Buffer.from(topicName),
      qos: 1,
      retain: true,
      expiry: undefined,
      clientId: Buffer.from("witness"),
      acceptedAt: systemClock.wall(),
    });
    const records = new RecordBatch();
    records.addRecord(record, 0, record.length, topic);
    const { shard } = topic;
    const seq = (this.#seqs.get(shard) ?? 0) + 1;
    if (seq === 1) this.#port.resume(this.#gateway, shard, this.#view.place(shard).epoch, seq);
    this.#seqs.set(shard, seq);
    const batch = { shard, gateway: this.#gateway, seq, records };
    const whole: PublishBatch = { ...batch, receiptSessions: [0], receiptKeys: [0] };
    this.#port.publish(whole);
  }
}
