import type { ReadRequest, ShardReadResult } from "@canopy/store";
import type { Owner } from "./owner.ts";

/** Equal ranges are read once for all who ask while the read is under way. */
export class Reads {
  readonly #owner: (shard: number) => Owner;
  readonly #underWay = new Map<string, Promise<ShardReadResult>>();

  constructor(owner: (shard: number) => Owner) {
    this.#owner = owner;
  }

  /** Answers in the order of the requests. */
  async read(requests: readonly ReadRequest[]): Promise<readonly ShardReadResult[]> {
    return Promise.all(requests.map((request) => this.#read(request)));
  }

  #read(request: ReadRequest): Promise<ShardReadResult> {
    const key = keyOf(request);
    const underWay = this.#underWay.get(key);
    if (underWay !== undefined) return underWay;
    const { shard, queues, messages, bytes } = request;
    const read = this.#ask(shard, queues, messages, bytes).finally(() => {
      this.#underWay.delete(key);
    });
    this.#underWay.set(key, read);
    return read;
  }

  async #ask(
    shard: number,
    queues: ReadRequest["queues"],
    messages: number,
    bytes: number,
  ): Promise<ShardReadResult> {
    const store = this.#owner(shard).require();
    const { epoch } = store;
    const read = await store.read(queues, { messages, bytes });
    return { epoch, messages: read.messages, upTo: read.upTo, limited: read.limited };
  }
}

function keyOf({ shard, queues, messages, bytes }: ReadRequest): string {
  let key = `${shard} ${messages} ${bytes}`;
  // Filters have no NUL [MQTT-4.7.3-2].
  for (const { queue, after } of queues) key += `\0${after}\0${queue}`;
  return key;
}
