import type { Lane } from "./account.ts";
import { Link, type LinkOptions, PUBACK, PUBCOMP, PUBREC, PUBREL, packet, text } from "./link.ts";

/** Packet Identifier not found: during recovery it is no error (section 3.7.2.1). */
const NOT_FOUND = 0x92;
const LAST_ID = 65_535;

/** Publishes on one lane as fast as its window allows, and again what was not answered. */
export class FloodPublisher extends Link {
  readonly lane: Lane;
  readonly #window: number;
  readonly #topic: Buffer;
  /** Sequence by packet identifier, in the order of sending, until PUBACK or PUBCOMP. */
  readonly #unfinished = new Map<number, number>();
  /** Those of them whose PUBREC came. */
  readonly #released = new Set<number>();
  /** Whose PUBREL was sent again: the broker may have forgotten it. */
  readonly #resumed = new Set<number>();
  #lastId = 0;
  #running = false;

  constructor(options: LinkOptions, lane: Lane, window: number) {
    super(options);
    this.lane = lane;
    this.#window = window;
    this.#topic = text(lane.topic);
  }

  start(): void {
    this.#running = true;
    this.endTurn();
  }

  stop(): void {
    this.#running = false;
  }

  get unfinished(): number {
    return this.#unfinished.size;
  }

  /** Messages for which the broker has not taken responsibility (PUBACK, PUBREC). */
  get unacknowledged(): number {
    return this.#unfinished.size - this.#released.size;
  }

  /** In the order in which they were first sent [MQTT-4.6.0-1]. */
  protected override resume(): void {
    for (const [id, sequence] of this.#unfinished) {
      if (this.#released.has(id)) {
        this.#resumed.add(id);
        this.writeAnswer(PUBREL, id);
      } else {
        this.lane.repeated.add(sequence);
        this.#send(id, sequence, true);
      }
    }
  }

  protected override endTurn(): void {
    if (!this.#running || this.isBlocked) return;
    while (this.#unfinished.size < this.#window) this.one();
  }

  /** Publishes one message. */
  one(): void {
    this.#lastId = (this.#lastId % LAST_ID) + 1;
    const sequence = this.lane.published++;
    this.#unfinished.set(this.#lastId, sequence);
    this.#send(this.#lastId, sequence, false);
  }

  protected override publish(): void {
    this.wrong("a message to a publisher");
  }

  protected override answer(type: number, id: number, reasonCode: number): void {
    const isForgotten = reasonCode === NOT_FOUND && type === PUBCOMP && this.#resumed.has(id);
    if (reasonCode >= 0x80 && !isForgotten) this.wrong(`${type} ${reasonCode} of #${id}`);
    if (!this.#unfinished.has(id)) return this.wrong(`${type} of nothing, #${id}`);
    if (type === PUBREC && this.lane.qos === 2) {
      if (!this.#released.has(id)) this.account.acknowledged++;
      this.#released.add(id);
      this.writeAnswer(PUBREL, id);
    } else if (type === PUBCOMP && this.#released.has(id)) {
      this.#finish(id);
    } else if (type === PUBACK && this.lane.qos === 1) {
      this.account.acknowledged++;
      this.#finish(id);
    } else {
      this.wrong(`${type} of #${id} at QoS ${this.lane.qos}`);
    }
  }

  #finish(id: number): void {
    this.#unfinished.delete(id);
    this.#released.delete(id);
    this.#resumed.delete(id);
  }

  #send(id: number, sequence: number, dup: boolean): void {
    const { lane } = this;
    const head = Buffer.from([id >> 8, id & 255, 0]);
    const body = Buffer.concat([this.#topic, head, this.account.payload(lane, sequence)]);
    this.write(packet(0x30 | (lane.qos << 1) | (dup ? 8 : 0), body));
  }
}
