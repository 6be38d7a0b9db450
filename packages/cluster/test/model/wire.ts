import { type Random, randomInt } from "@canopy/base";

/** Messages one behind the other, until it is cut. */
export class Channel {
  readonly queue: (() => void)[] = [];
  isCut = false;

  send(message: () => void): void {
    if (!this.isCut) this.queue.push(message);
  }

  /** What is on its way is lost. */
  cut(): void {
    this.isCut = true;
    this.queue.length = 0;
  }
}

/** All channels: a seed decides which of them moves next. */
export class Wire {
  readonly #channels = new Set<Channel>();
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  open(): Channel {
    const channel = new Channel();
    this.#channels.add(channel);
    return channel;
  }

  /** Delivers one message; false where there is none. */
  step(): boolean {
    for (const channel of this.#channels) if (channel.isCut) this.#channels.delete(channel);
    const busy = [...this.#channels].filter(({ queue }) => queue.length > 0);
    if (busy.length === 0) return false;
    const channel = busy[randomInt(this.#random, busy.length)] as Channel;
    (channel.queue.shift() as () => void)();
    return true;
  }
}
