// Plays at random the client, the store and the rest of the broker, and knows what must hold.
import fc from "fast-check";
import { DELIVERY, Delivery } from "../src/index.ts";
import { Scene } from "./scene.ts";
import * as wire from "./wire.ts";

/** `pick` and `code` choose among what there is at that moment. */
export type Step =
  | { readonly by: "client"; readonly packet: (version: number) => Buffer }
  | { readonly by: "authenticator"; readonly kind: "accept" | "continue" | "success" | "failure" }
  | { readonly by: "sessions"; readonly kind: "opened" | "subscribed" | "unsubscribed" }
  | {
      readonly by: "store";
      readonly kind: "answer" | "forgotten";
      readonly pick: number;
      readonly code: number;
    }
  | { readonly by: "gateway"; readonly kind: "deliver" | "release" | "remove"; readonly qos: 1 | 2 }
  | { readonly by: "end"; readonly kind: "lost" | "refused"; readonly code: number };

const packetId = fc.integer({ min: 1, max: 6 });
const qos = fc.constantFrom(0 as const, 1 as const, 2 as const);
const method = fc.constantFrom("M", "N");
const code = fc.oneof(
  { weight: 4, arbitrary: fc.constant(0) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 255 }) },
);
const topic = fc.constantFrom("a", "b/c", "denied/d", "$SYS/x", "1/2/3/4/5/6");
const filter = fc.constantFrom(
  "a",
  "b/#",
  "denied/d",
  "+/c",
  "c#",
  "$share/g/a",
  "$share/g",
  "1/2/3/4/5/6",
);

export const connectFields: fc.Arbitrary<wire.ConnectFields> = fc.record({
  version: fc.constantFrom(3 as const, 4 as const, 5 as const, 5 as const, 5 as const),
  clientId: fc.constantFrom("c", "c", ""),
  cleanStart: fc.boolean(),
  keepAlive: fc.constantFrom(0, 60),
  sessionExpiry: fc.constantFrom(0, 60),
  receiveMaximum: fc.integer({ min: 1, max: 4 }),
  topicAliasMaximum: fc.nat({ max: 3 }),
  problemInformation: fc.boolean(),
});

/** A CONNECT that may be refused. */
const anyConnect: fc.Arbitrary<wire.ConnectFields> = fc
  .tuple(
    connectFields,
    fc.option(method, { nil: undefined }),
    fc.constantFrom(undefined, { topic: "w" }, { topic: "w/#" }, { topic: "denied/w", qos: 2 }),
  )
  .map(([fields, name, will]) => ({
    ...fields,
    ...(name === undefined ? {} : { method: name }),
    ...(will === undefined ? {} : { will }),
  }));

const publish = fc
  .record({
    topic,
    qos,
    packetId,
    dup: fc.boolean(),
    retain: fc.boolean(),
    alias: fc.option(fc.nat({ max: 4 }), { nil: undefined, freq: 2 }),
    named: fc.boolean(),
  })
  .map(({ topic: name, alias, named, ...fields }) => (version: number) => {
    if (alias === undefined || version !== 5) return wire.publish(version, name, valid(fields));
    return wire.publish(version, named ? name : "", { ...valid(fields), alias });
  });

function valid<T extends { readonly qos: number; readonly dup: boolean }>(fields: T): T {
  return { ...fields, dup: fields.dup && fields.qos > 0 };
}

const ack = fc
  .tuple(fc.constantFrom(4, 5, 6, 7), packetId, fc.constantFrom(0, 0, 0, 0x80))
  .map(([type, id, reason]) => (version: number) => {
    const known = type < 6 ? reason : 0;
    return wire.ack(type, id, version === 5 ? known : 0);
  });

const request = fc
  .tuple(packetId, fc.array(fc.tuple(filter, qos), { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(
    ([id, filters, isSubscribe]) =>
      (version: number) =>
        isSubscribe
          ? wire.subscribe(
              version,
              id,
              filters.map(([name, options]) => ({ filter: name, options })),
            )
          : wire.unsubscribe(
              version,
              id,
              filters.map(([name]) => name),
            ),
  );

const rare = fc.oneof(
  anyConnect.map((fields) => () => wire.connect(fields)),
  fc
    .constantFrom(0, 4, 0x80)
    .map((reason) => (version: number) => wire.disconnect(version, reason)),
  fc.tuple(fc.constantFrom(0x18, 0x19), method).map(
    ([reason, name]) =>
      () =>
        wire.auth(reason, name),
  ),
  fc.uint8Array({ minLength: 1, maxLength: 12 }).map((bytes) => () => Buffer.from(bytes)),
);

/** A packet of the client, rarely one that ends the connection. */
const packet = fc.oneof(
  { weight: 12, arbitrary: publish },
  { weight: 12, arbitrary: ack },
  { weight: 6, arbitrary: request },
  { weight: 2, arbitrary: fc.constant(() => wire.pingreq()) },
  { weight: 1, arbitrary: rare },
);

export const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 12,
      arbitrary: fc.record({ by: fc.constant("client" as const), packet }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        by: fc.constant("authenticator" as const),
        kind: fc.constantFrom("accept", "continue", "success", "failure"),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        by: fc.constant("sessions" as const),
        kind: fc.constantFrom("opened", "subscribed", "unsubscribed"),
      }),
    },
    {
      weight: 8,
      arbitrary: fc.record({
        by: fc.constant("store" as const),
        kind: fc.constantFrom("answer", "forgotten"),
        pick: fc.nat(),
        code,
      }),
    },
    {
      weight: 6,
      arbitrary: fc.record({
        by: fc.constant("gateway" as const),
        kind: fc.constantFrom("deliver", "release", "remove"),
        qos: fc.constantFrom(1, 2),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        by: fc.constant("end" as const),
        kind: fc.constantFrom("lost", "refused"),
        code: fc.integer({ min: 0x80, max: 0xff }),
      }),
    },
  ) as fc.Arbitrary<Step>,
  { maxLength: 80 },
);

/** A connection that does what steps say, as a gateway may do it. */
export class Driver {
  readonly scene: Scene = new Scene({ receiveMaximum: 3, maxInflight: 3 });
  /** Slots that were given out, in order, and which of them are answered. */
  readonly #answered = new Set<number>();
  #deliveries: Delivery<string>[] = [];

  /** Up to CONNACK. */
  connect(fields: wire.ConnectFields): void {
    const { connection } = this.scene;
    this.scene.client(wire.connect(fields));
    connection.authenticated();
    connection.opened({ sessionPresent: false });
  }

  /** Slots that wait for the store. */
  get pendingSlots(): number[] {
    return this.scene.effects.published
      .map(({ slot }) => slot)
      .filter((slot) => slot !== -1 && !this.#answered.has(slot));
  }

  do(step: Step): void {
    switch (step.by) {
      case "client":
        this.scene.client(step.packet(this.scene.connection.version));
        break;
      case "authenticator":
        this.#authenticate(step.kind);
        break;
      case "sessions":
        this.#sessions(step.kind);
        break;
      case "store":
        if (step.kind === "answer") this.#answer(step.pick, step.code);
        else this.#forgotten(step.pick);
        break;
      case "gateway":
        this.#gateway(step.kind, step.qos);
        break;
      default:
        this.#end(step.kind, step.code);
    }
  }

  #authenticate(kind: "accept" | "continue" | "success" | "failure"): void {
    const { connection } = this.scene;
    if (kind === "accept") {
      if (connection.connect?.authenticationMethod === undefined) connection.authenticated();
    } else if (kind === "failure") {
      connection.authAnswered({ kind, reason: 0x86, text: "no" });
    } else if (connection.connect?.authenticationMethod !== undefined) {
      // a plain CONNECT has no exchange that could go on
      connection.authAnswered({ kind, data: Buffer.from("data") });
    }
  }

  #sessions(kind: "opened" | "subscribed" | "unsubscribed"): void {
    const { connection, effects } = this.scene;
    if (kind === "opened") connection.opened({ sessionPresent: false });
    else if (kind === "subscribed") effects.pendingSubscribes.shift()?.([0, 1, 2, 0x80]);
    else effects.pendingUnsubscribes.shift()?.([0, 0x11, 0, 0x80]);
  }

  #answer(pick: number, reasonCode: number): void {
    const pending = this.pendingSlots;
    if (pending.length === 0) return;
    const slot = pending[pick % pending.length] as number;
    this.#answered.add(slot);
    this.scene.connection.answered(slot, reasonCode);
  }

  #forgotten(pick: number): void {
    const { connection, effects } = this.scene;
    if (effects.forgetting.length === 0) return;
    const [id] = effects.forgetting.splice(pick % effects.forgetting.length, 1);
    connection.forgotten(id as number);
  }

  #gateway(kind: "deliver" | "release" | "remove", qosOfNew: 1 | 2): void {
    const { connection } = this.scene;
    const { window } = connection;
    if (kind === "deliver") {
      if (connection.phase !== "open" || window.room <= 0) return;
      const delivery = new Delivery<string>(qosOfNew, "", 0, 0, undefined, undefined);
      window.add(delivery);
      delivery.state = DELIVERY.sent;
      this.#deliveries.push(delivery);
      return;
    }
    const state = kind === "release" ? DELIVERY.receiving : DELIVERY.completing;
    const one = this.#deliveries.find((delivery) => delivery.state === state);
    if (one === undefined) return;
    if (kind === "release") {
      connection.release(one);
    } else {
      window.remove(one.packetId);
      one.state = DELIVERY.finished;
    }
  }

  /** PUBLISHes that the client has not finished, as it sees it. */
  get unfinishedOutbound(): number {
    return this.#deliveries.filter(({ state }) => state !== DELIVERY.finished).length;
  }

  #end(kind: "lost" | "refused", reasonCode: number): void {
    if (kind === "lost") this.scene.connection.lost("gone");
    else this.scene.connection.refused(reasonCode, "the broker says so");
  }
}
