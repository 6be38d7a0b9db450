import type { Clock } from "@canopy/base";
import { RecordView } from "@canopy/codec";
import type {
  Offset,
  RetainedMessage,
  RetainedPosition,
  RetainedRequest,
  ShardRetainedPage,
} from "@canopy/store";
import { shardsOfFilter } from "@canopy/topic";
import type { Shard } from "./shard.ts";

type PageMessage = ShardRetainedPage["messages"][number];

/** Retained values for those who subscribe. */
export class Retained {
  readonly #shards: readonly Shard[];
  readonly #clock: Clock;
  readonly #view = new RecordView();

  constructor(shards: readonly Shard[], clock: Clock) {
    this.#shards = shards;
    this.#clock = clock;
  }

  async page(request: RetainedRequest): Promise<ShardRetainedPage> {
    const { filter, upTo, messages, bytes } = request;
    const found: PageMessage[] = [];
    const begin = request.after;
    let left = bytes;
    const one = request.shard;
    const epoch = one === undefined ? 0 : this.#shard(one).owner.require().epoch;
    for (const shard of one === undefined ? shardsOfFilter(filter, this.#shards.length) : [one]) {
      if (begin !== undefined && shard < begin.shard) continue;
      let after = shard === begin?.shard ? begin.topic : undefined;
      do {
        const limits = { messages: messages - found.length, bytes: left };
        const store = this.#shard(shard).owner.require();
        const page = await store.retained(filter, upTo[shard] ?? 0, after, limits);
        after = page.next;
        left -= this.#take(shard, page.messages, found);
        const isFull = found.length >= messages || left <= 0;
        if (isFull) return { epoch, messages: found, next: placeOf(found) };
      } while (after !== undefined);
    }
    return { epoch, messages: found, next: undefined };
  }

  async at(shard: number, topic: string, offset: Offset): Promise<Uint8Array | undefined> {
    const value = await this.#shard(shard).owner.require().retainedValue(topic);
    return value?.offset === offset && !this.isExpired(value) ? value.body : undefined;
  }

  isExpired(value: RetainedMessage): boolean {
    const expiresAt = this.expiryOf(value);
    return expiresAt !== 0 && expiresAt <= this.#clock.wall();
  }

  /** 0 = never. */
  expiryOf({ body }: RetainedMessage): number {
    return this.#view.set(body, 0, body.length).expiresAt;
  }

  /** Adds what has not expired [MQTT-3.3.2-5]; returns its bytes. */
  #take(shard: number, values: readonly RetainedMessage[], found: PageMessage[]): number {
    let bytes = 0;
    for (const value of values) {
      if (this.isExpired(value)) continue;
      const { topic, offset, body } = value;
      found.push({ shard, topic, offset, body });
      bytes += body.length;
    }
    return bytes;
  }

  #shard(shard: number): Shard {
    return this.#shards[shard] as Shard;
  }
}

/** Behind the last of these. There may be nothing there. */
function placeOf(found: readonly PageMessage[]): RetainedPosition | undefined {
  const last = found.at(-1);
  return last && { shard: last.shard, topic: last.topic };
}
