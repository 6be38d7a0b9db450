// What the steps of scripts do, see testdata/README.md.
import { DELIVERY, Delivery } from "../src/index.ts";
import type { Scene } from "./scene.ts";
import * as wire from "./wire.ts";

/** The words of a step: those by themselves, and those with a value. */
class Words {
  readonly plain: readonly string[];
  readonly #named: ReadonlyMap<string, string>;

  constructor(text: string) {
    const words = [...text.matchAll(/(?:[^\s"]|"[^"]*")+/g)].map(([word]) => word);
    const isNamed = (word: string) => /^\w+=/.test(word);
    this.plain = words.filter((word) => !isNamed(word)).map((word) => word.replaceAll('"', ""));
    const named = words.filter(isNamed).map((word): [string, string] => {
      const at = word.indexOf("=");
      return [word.slice(0, at), word.slice(at + 1).replaceAll('"', "")];
    });
    this.#named = new Map(named);
  }

  at(index: number): string {
    const word = this.plain[index];
    if (word === undefined) throw new Error(`a word is missing behind “${this.plain.join(" ")}”`);
    return word;
  }

  has(word: string): boolean {
    return this.plain.includes(word);
  }

  text(name: string): string | undefined {
    return this.#named.get(name);
  }

  number(name: string): number | undefined {
    const value = this.#named.get(name);
    return value === undefined ? undefined : Number(value);
  }

  flag(name: string): boolean | undefined {
    const value = this.number(name);
    return value === undefined ? undefined : value === 1;
  }
}

/** Without the fields that are undefined, as exactOptionalPropertyTypes wants them. */
function defined<T extends object>(fields: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}

/** Does a step; whether its trace is to be shown. */
export function run(scene: Scene, step: string): boolean {
  const [actor = "", ...rest] = step.split(" ");
  const words = rest.join(" ");
  switch (actor) {
    case "connected":
      connected(scene, words);
      return false;
    case "client>":
      scene.client(...words.split(" ; ").map((one) => packetOf(scene, new Words(one))));
      return true;
    case "bytes>":
      scene.client(Buffer.from(words.replaceAll(" ", ""), "hex"));
      return true;
    case "authenticator>":
      authenticator(scene, new Words(words));
      return true;
    case "sessions>":
      sessions(scene, new Words(words));
      return true;
    case "store>":
      store(scene, new Words(words));
      return true;
    case "gateway>":
      gateway(scene, new Words(words));
      return true;
    default:
      throw new Error(`nobody is called “${actor}”`);
  }
}

function connected(scene: Scene, text: string): void {
  scene.client(packetOf(scene, new Words(`CONNECT ${text}`)));
  scene.connection.authenticated();
  scene.connection.opened({ sessionPresent: new Words(text).has("present") });
  if (scene.connection.phase !== "open") throw new Error(scene.effects.trace.join("\n"));
}

function packetOf(scene: Scene, words: Words): Buffer {
  const { version } = scene.connection;
  switch (words.at(0)) {
    case "CONNECT":
      return connectOf(words);
    case "PUBLISH":
      return publishOf(version, words);
    case "PUBACK":
    case "PUBREC":
    case "PUBREL":
    case "PUBCOMP": {
      const type = ["PUBACK", "PUBREC", "PUBREL", "PUBCOMP"].indexOf(words.at(0)) + 4;
      return wire.ack(type, Number(words.at(1)), Number(words.plain[2] ?? 0));
    }
    case "SUBSCRIBE": {
      const requests = words.plain.slice(2).map(requested);
      return wire.subscribe(version, Number(words.at(1)), requests, words.number("identifier"));
    }
    case "UNSUBSCRIBE":
      return wire.unsubscribe(version, Number(words.at(1)), words.plain.slice(2));
    case "PINGREQ":
      return wire.pingreq();
    case "DISCONNECT":
      return wire.disconnect(version, Number(words.plain[1] ?? 0), words.number("expiry"));
    case "AUTH":
      return wire.auth(Number(words.at(1)), words.text("method") ?? "M", words.text("data"));
    default:
      throw new Error(`clients send no ${words.at(0)}`);
  }
}

function connectOf(words: Words): Buffer {
  const topic = words.text("will");
  return wire.connect(
    defined<wire.ConnectFields>({
      version: Number(words.at(1).slice(1)) as 3 | 4 | 5,
      clientId: words.text("id"),
      cleanStart: words.has("clean"),
      keepAlive: words.number("keepAlive"),
      sessionExpiry: words.number("expiry"),
      receiveMaximum: words.number("receiveMaximum"),
      topicAliasMaximum: words.number("topicAliasMaximum"),
      responseInformation: words.flag("responseInformation"),
      problemInformation: words.flag("problemInformation"),
      method: words.text("method"),
      data: words.text("data"),
      will:
        topic === undefined
          ? undefined
          : { topic, qos: words.number("willQos") ?? 0, retain: words.has("willRetain") },
    }),
  );
}

function publishOf(version: number, words: Words): Buffer {
  const payload = words.text("payload");
  return wire.publish(
    version,
    words.text("topic") ?? words.at(1),
    defined<wire.PublishFields>({
      qos: words.number("qos"),
      packetId: words.number("packetId"),
      alias: words.number("alias"),
      utf8: words.has("utf8") ? true : undefined,
      dup: words.has("dup"),
      retain: words.has("retain"),
      payload: payload?.startsWith("0x") ? Buffer.from(payload.slice(2), "hex") : payload,
    }),
  );
}

/** `a/b:1` or, with more options, `a/b:1,noLocal,retainAsPublished,handling2`. */
function requested(text: string): wire.Requested {
  const [filter = "", rest = "0"] = text.split(/:(?=[^:]*$)/);
  const [qos, ...more] = rest.split(",");
  const options = more.map((option) => {
    if (option === "noLocal") return 4;
    return option === "retainAsPublished" ? 8 : Number(option.slice("handling".length)) << 4;
  });
  return { filter, options: options.reduce((sum, bit) => sum | bit, Number(qos)) };
}

function authenticator({ connection }: Scene, words: Words): void {
  const data = Buffer.from(words.plain[1] ?? "");
  switch (words.at(0)) {
    case "accepts":
      connection.authenticated();
      break;
    case "refuses":
      connection.refused(Number(words.at(1)), words.at(2));
      break;
    case "continues":
      connection.authAnswered({ kind: "continue", data });
      break;
    case "succeeds":
      connection.authAnswered({ kind: "success", ...(data.length > 0 ? { data } : {}) });
      break;
    case "fails":
      connection.authAnswered({
        kind: "failure",
        reason: Number(words.at(1)),
        text: words.at(2),
      });
      break;
    default:
      throw new Error(`an authenticator does not do “${words.at(0)}”`);
  }
}

function sessions({ connection, effects }: Scene, words: Words): void {
  const codes = words.plain.slice(1).map(Number);
  switch (words.at(0)) {
    case "opened":
      connection.opened({ sessionPresent: words.has("present") });
      break;
    case "refused":
      connection.refused(Number(words.at(1)), words.at(2));
      break;
    case "subscribed":
      effects.pendingSubscribes.shift()?.(codes);
      break;
    case "unsubscribed":
      effects.pendingUnsubscribes.shift()?.(codes);
      break;
    default:
      throw new Error(`sessions don't say “${words.at(0)}”`);
  }
}

function store({ connection }: Scene, words: Words): void {
  const numbers = words.plain.slice(1).map(Number);
  switch (words.at(0)) {
    case "receipts":
      connection.restoreInbound(numbers);
      break;
    case "answers":
      connection.answered(numbers[0] as number, numbers[1] ?? 0);
      break;
    case "forgot":
      connection.forgotten(numbers[0] as number);
      break;
    default:
      throw new Error(`a store does not say “${words.at(0)}”`);
  }
}

function gateway(scene: Scene, words: Words): void {
  const { connection, effects } = scene;
  const { window } = connection;
  const number = Number(words.plain[1]);
  const delivery = window.get(number);
  switch (words.at(0)) {
    case "delivers":
      deliver(scene, number as 1 | 2, words.has("assigning"));
      break;
    case "restores": {
      const restored = new Delivery<string>(
        Number(words.at(2)) as 1 | 2,
        "",
        0,
        0,
        undefined,
        undefined,
      );
      window.restore(restored, number);
      break;
    }
    case "sent":
      if (delivery !== undefined) delivery.state = DELIVERY.sent;
      break;
    case "releases":
      if (delivery !== undefined) connection.release(delivery);
      break;
    case "removes":
      window.remove(number);
      break;
    case "fails":
      connection.refused(number, words.at(2));
      break;
    case "lost":
      connection.lost("the network is gone");
      break;
    default:
      throw new Error(`a gateway does not do “${words.at(0)}”`);
  }
  if (["delivers", "restores", "removes"].includes(words.at(0))) {
    effects.write(`in flight: ${window.size}, room for ${window.room}`);
  }
}

function deliver({ connection, effects }: Scene, qos: 1 | 2, isAssigning: boolean): void {
  const delivery = new Delivery<string>(qos, "", 0, 0, undefined, undefined);
  const packetId = connection.window.add(delivery);
  if (!isAssigning) delivery.state = DELIVERY.sent;
  effects.write(`broker> PUBLISH ${packetId} qos ${qos}`);
}
