/** What this turn has for other nodes: one batch for each. */
import type { Message } from "../core/types.ts";
import type { DiskId, GroupId } from "../storage/port.ts";
import type { Batch, Beat, Envelope, Hello, NodeName } from "../transport/port.ts";

interface Open {
  readonly envelopes: Envelope[];
  readonly beats: Beat[];
  readonly hellos: Hello[];
}

export class Outbox {
  readonly #node: NodeName;
  readonly #open = new Map<NodeName, Open>();

  constructor(node: NodeName) {
    this.#node = node;
  }

  /** Heartbeats and their answers go in short, the others as they are. */
  add(to: NodeName, group: GroupId, message: Message, asleep: boolean): void {
    const open = this.touch(to);
    if (message.type === "heartbeat" || message.type === "heartbeatAnswer") {
      open.beats.push(toBeat(group, message, asleep));
    } else {
      open.envelopes.push({ group, message });
    }
  }

  beat(to: NodeName, beat: Beat): void {
    this.touch(to).beats.push(beat);
  }

  hello(to: NodeName, hello: Hello): void {
    this.touch(to).hellos.push(hello);
  }

  /** Something goes to this node, if only the word that this one lives. */
  touch(to: NodeName): Open {
    let open = this.#open.get(to);
    if (open === undefined) {
      open = { envelopes: [], beats: [], hellos: [] };
      this.#open.set(to, open);
    }
    return open;
  }

  /** In the order in which the nodes were first spoken to. `all`: what each of them is told. */
  flush(disk: DiskId, all: readonly Hello[], send: (to: NodeName, batch: Batch) => void): void {
    if (this.#open.size === 0) return;
    const batches = [...this.#open];
    this.#open.clear();
    for (const [to, { envelopes, beats, hellos }] of batches) {
      hellos.push(...all);
      send(to, { from: this.#node, disk, envelopes, beats, hellos });
    }
  }
}

function toBeat(
  group: GroupId,
  message: Extract<Message, { type: "heartbeat" | "heartbeatAnswer" }>,
  asleep: boolean,
): Beat {
  const { from, to, term, context } = message;
  const isHeartbeat = message.type === "heartbeat";
  const commit = isHeartbeat ? message.commit : 0;
  const kind = isHeartbeat ? (asleep ? 2 : 0) : asleep ? 4 : 1;
  return { kind, group, from, to, term, commit, context };
}
