import { Deferred } from "@canopy/base";
import type { What } from "../history/event.ts";
import { stamp } from "../workload/topics.ts";
import type { Packet, PacketOf } from "./link.ts";

/** How a PUBLISH ended: accepted, refused by the broker, or given up with its connection. */
export type Outcome = "accepted" | "refused" | "abandoned";

/** A PUBLISH that is not finished. */
interface Unfinished {
  readonly packetId: number;
  readonly topic: string;
  readonly seq: number;
  readonly qos: 1 | 2;
  readonly retain: boolean;
  /** PUBREC came. */
  isReleased: boolean;
  /** Its PUBREL was sent again: the broker may have forgotten it by then. */
  isResumed: boolean;
  readonly ended: Deferred<Outcome>;
}

export interface OutgoingOptions {
  readonly client: string;
  readonly connection: () => number;
  readonly add: (what: What) => void;
  readonly send: (packet: Packet) => void;
}

/** Packet Identifier not found: no error during recovery (section 3.7.2.1). */
const NOT_FOUND = 0x92;

/** The sender's half of a session (section 4.1): what was sent and is not finished. */
export class Outgoing {
  readonly #options: OutgoingOptions;
  readonly #unfinished = new Map<number, Unfinished>();
  #lastId = 0;

  constructor(options: OutgoingOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#unfinished.size;
  }

  nextId(): number {
    do {
      this.#lastId = (this.#lastId % 65_535) + 1;
    } while (this.#unfinished.has(this.#lastId));
    return this.#lastId;
  }

  publish(topic: string, seq: number, qos: 1 | 2, retain: boolean): Promise<Outcome> {
    const entry: Unfinished = {
      packetId: this.nextId(),
      topic,
      seq,
      qos,
      retain,
      isReleased: false,
      isResumed: false,
      ended: new Deferred(),
    };
    this.#unfinished.set(entry.packetId, entry);
    this.#send(entry, false);
    return entry.ended.promise;
  }

  /** The session goes on on a new connection [MQTT-4.4.0-1], in the order of the first sending. */
  resume(): void {
    for (const entry of this.#unfinished.values()) {
      entry.isResumed = entry.isReleased;
      if (entry.isReleased) this.#release(entry);
      else this.#send(entry, true);
    }
  }

  /** The session is over, or what it left unfinished is not sent again. */
  abandon(): void {
    for (const { ended } of this.#unfinished.values()) ended.resolve("abandoned");
    this.#unfinished.clear();
  }

  /** A PUBACK, PUBREC or PUBCOMP. */
  answered({
    cmd,
    messageId = 0,
    reasonCode = 0,
  }: PacketOf<"puback" | "pubrec" | "pubcomp">): void {
    const entry = this.#unfinished.get(messageId);
    if (entry === undefined) {
      this.#violation(`${cmd} of #${messageId}, which is not in use`);
    } else if (cmd === "pubcomp") {
      this.#completed(entry, reasonCode);
    } else if (cmd !== (entry.qos === 1 ? "puback" : "pubrec")) {
      this.#violation(`${cmd} for QoS ${entry.qos}`);
    } else {
      this.#acknowledged(entry, reasonCode);
    }
  }

  #acknowledged(entry: Unfinished, code: number): void {
    const { topic, seq, qos } = entry;
    const { client, connection, add } = this.#options;
    add({ kind: "acknowledged", client, connection: connection(), topic, seq, qos, code });
    if (code >= 0x80) this.#end(entry, "refused");
    else if (qos === 1) this.#end(entry, "accepted");
    else this.#release(entry);
  }

  #completed(entry: Unfinished, code: number): void {
    if (!entry.isReleased) this.#violation(`PUBCOMP of #${entry.packetId} before its PUBREL`);
    const isRight = code < 0x80 || (entry.isResumed && code === NOT_FOUND);
    if (!isRight) this.#violation(`PUBCOMP ${code} of #${entry.packetId}`);
    this.#end(entry, "accepted");
  }

  #end(entry: Unfinished, outcome: Outcome): void {
    this.#unfinished.delete(entry.packetId);
    entry.ended.resolve(outcome);
  }

  #release(entry: Unfinished): void {
    entry.isReleased = true;
    this.#options.send({ cmd: "pubrel", messageId: entry.packetId });
  }

  #send({ packetId, topic, seq, qos, retain }: Unfinished, dup: boolean): void {
    const { client, connection, add, send } = this.#options;
    const payload = stamp({ publisher: client, seq });
    add({
      kind: "sent",
      client,
      connection: connection(),
      topic,
      seq,
      qos,
      retain,
      dup,
      packetId,
    });
    send({ cmd: "publish", topic, payload, qos, retain, dup, messageId: packetId });
  }

  #violation(text: string): void {
    this.#options.add({ kind: "violation", client: this.#options.client, text });
  }
}
