import type { Topic } from "@canopy/topic";

/** Topic aliases that the client has set (section 3.3.2.3.4). */
export class InboundAliases {
  #topics: (Topic | undefined)[] | undefined = undefined;

  get(alias: number): Topic | undefined {
    return this.#topics?.[alias];
  }

  set(alias: number, topic: Topic): void {
    this.#topics ??= [];
    this.#topics[alias] = topic;
  }
}

/**
 * Topic aliases that the broker sets: each topic gets one when it is first sent, until there are
 * `maximum` [MQTT-3.3.2-11]; the most used topics of a client are nearly always among its first.
 */
export class OutboundAliases {
  readonly maximum: number;
  #aliases: Map<string, number> | undefined = undefined;

  constructor(maximum: number) {
    this.maximum = maximum;
  }

  /**
   * The alias of this topic: positive where the client knows it already, negative where it has to
   * be sent with the topic name, 0 where there is none. To be called when the packet is written.
   */
  use(topic: string): number {
    if (this.maximum === 0) return 0;
    this.#aliases ??= new Map();
    const known = this.#aliases.get(topic);
    if (known !== undefined) return known;
    if (this.#aliases.size >= this.maximum) return 0;
    const alias = this.#aliases.size + 1;
    this.#aliases.set(topic, alias);
    return -alias;
  }
}
