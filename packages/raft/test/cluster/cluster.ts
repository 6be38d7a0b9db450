// Several replicas and what is on its way between them.
import type { CoreOptions, Message } from "../../src/index.ts";
import { configurationOf, Replica } from "./replica.ts";

export class Cluster {
  readonly replicas: Map<number, Replica> = new Map();
  /** Sent and not delivered, the oldest first. */
  network: Message[] = [];
  /** A message for which it answers true is lost. */
  lose: (message: Message) => boolean = () => false;

  constructor(
    voters: readonly number[],
    options: Partial<CoreOptions> = {},
    learners: readonly number[] = [],
  ) {
    const configuration = configurationOf(voters, learners);
    for (const id of [...voters, ...learners]) this.add(new Replica(id, configuration, options));
  }

  add(replica: Replica): Replica {
    this.replicas.set(replica.id, replica);
    return replica;
  }

  at(id: number): Replica {
    const replica = this.replicas.get(id);
    if (replica === undefined) throw new Error(`there is no replica ${id}`);
    return replica;
  }

  send(messages: readonly Message[]): void {
    for (const message of messages) if (!this.lose(message)) this.network.push(message);
  }

  pump(): void {
    for (const replica of this.replicas.values()) if (replica.up) this.send(replica.pump());
  }

  /** Everything on its way arrives, and what follows from it, until nothing happens any more. */
  settle(limit = 10_000): void {
    this.pump();
    for (let steps = 0; this.network.length > 0; steps++) {
      if (steps > limit) throw new Error("it does not come to rest");
      this.deliver(this.network.shift() as Message);
    }
  }

  deliver(message: Message): void {
    const to = this.replicas.get(message.to);
    if (to?.up !== true) return;
    if (message.type === "snapshot") {
      this.replicas.get(message.from)?.core.reportSnapshot(message.to, true);
    }
    to.core.step(message);
    this.pump();
  }

  tick(count = 1): void {
    for (let i = 0; i < count; i++) {
      for (const replica of this.replicas.values()) if (replica.up) replica.core.tick();
      this.settle();
    }
  }

  elect(id: number): Replica {
    const replica = this.at(id);
    replica.core.campaign();
    this.settle();
    return replica;
  }

  propose(id: number, ...commands: string[]): ReturnType<Replica["core"]["propose"]> {
    const proposed = this.at(id).core.propose(commands.map((command) => Buffer.from(command)));
    this.settle();
    return proposed;
  }

  /** Whatever goes from or to one of these is lost. */
  isolate(...ids: number[]): void {
    this.lose = (message) => ids.includes(message.from) !== ids.includes(message.to);
    this.network = this.network.filter((message) => !this.lose(message));
  }

  heal(): void {
    this.lose = () => false;
  }

  get leaders(): number[] {
    const all = [...this.replicas.values()];
    return all.filter((replica) => replica.core.role === "leader").map((replica) => replica.id);
  }
}
