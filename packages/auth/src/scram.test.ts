import { pbkdf2Sync } from "node:crypto";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { type Credentials, parseCredentials } from "./credentials.ts";
import type { Exchange, ExchangeAnswer } from "./port.ts";
import { Scram } from "./scram.ts";
import { base64, formatScram, hmac, scramCredential, sha256 } from "./scram-credential.ts";

const text = (data: Uint8Array | undefined): string => Buffer.from(data ?? []).toString();
const data = (message: string): Uint8Array => Buffer.from(message);
const rfcSalt = Buffer.from("W22ZaJ0SNY7soEsUEjb6gQ==", "base64");

/** "pencil" with the salt and iterations of RFC 7677. */
let pencil: string;
let credentials: Credentials;

beforeAll(async () => {
  const credential = await scramCredential("pencil", { salt: rfcSalt, iterations: 4096 });
  if (credential === undefined) throw new Error("pencil is a password");
  pencil = formatScram(credential);
  credentials = parseCredentials(`user:${pencil}\na,b=c:${pencil}\n`);
});

function scram(nonce = "server-nonce"): Scram {
  return new Scram({ credentials: () => credentials, nonce: () => nonce });
}

/** A client's side, after section 3 of RFC 5802, to be correct independently of the server. */
class Client {
  readonly header: string;
  readonly bare: string;
  readonly password: string;

  constructor(user: string, password: string, header = "n,,") {
    const name = user.replaceAll("=", "=3D").replaceAll(",", "=2C");
    this.header = header;
    this.bare = `n=${name},r=client-nonce`;
    this.password = password;
  }

  first(): Uint8Array {
    return data(this.header + this.bare);
  }

  final(serverFirst: string): { message: string; signature: string } {
    const parts = /^r=(?<r>[^,]+),s=(?<s>[^,]+),i=(?<i>\d+)$/.exec(serverFirst)?.groups ?? {};
    const salt = Buffer.from(parts.s ?? "", "base64");
    const salted = pbkdf2Sync(this.password, salt, Number(parts.i), 32, "sha256");
    const clientKey = hmac(salted, "Client Key");
    const withoutProof = `c=${base64(data(this.header))},r=${parts.r}`;
    const authMessage = `${this.bare},${serverFirst},${withoutProof}`;
    const signature = hmac(sha256(clientKey), authMessage);
    const proof = clientKey.map((byte, index) => byte ^ (signature[index] ?? 0));
    return {
      message: `${withoutProof},p=${base64(proof)}`,
      signature: `v=${base64(hmac(hmac(salted, "Server Key"), authMessage))}`,
    };
  }

  async run(exchange: Exchange): Promise<ExchangeAnswer> {
    const challenge = await exchange.step(this.first());
    if (challenge.kind !== "continue") return challenge;
    const { message, signature } = this.final(text(challenge.data));
    const answer = await exchange.step(data(message));
    if (answer.kind === "success" && text(answer.data) !== signature) {
      throw new Error("the server has not proven that it knows the password");
    }
    return answer;
  }
}

test("RFC 7677, section 3: the example", async () => {
  const exchange = scram("%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0").exchange();
  const challenge = await exchange.step(data("n,,n=user,r=rOprNGfwEbeRWgbNEkqO"));
  expect(challenge.kind === "continue" && text(challenge.data)).toBe(
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
  );
  const answer = await exchange.step(
    data(
      "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0," +
        "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
    ),
  );
  expect(answer).toMatchObject({
    kind: "success",
    identity: { user: "user", method: "SCRAM-SHA-256" },
  });
  expect(answer.kind === "success" && text(answer.data)).toBe(
    "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
  );
});

describe("the exchange", () => {
  test.each([
    ["n,,", "user"],
    ["y,,", "user"],
    ["n,a=user,", "user"],
    ["n,,", "a,b=c"],
    ["n,,", "\u00aduser"],
  ])("succeeds with header %j for %j", async (header, user) => {
    const answer = await new Client(user, "pencil", header).run(scram().exchange());
    expect(answer).toMatchObject({
      kind: "success",
      identity: { user: user.replace("\u00ad", "") },
    });
  });

  test("refuses a wrong password with 0x86", async () => {
    const answer = await new Client("user", "pen").run(scram().exchange());
    expect(answer).toMatchObject({ kind: "failure", reason: 0x86 });
  });

  test("refuses an unknown user only at the proof, as it does a wrong password", async () => {
    const unknown = await new Client("nobody", "pencil").run(scram().exchange());
    const wrong = await new Client("user", "pen").run(scram().exchange());
    expect(unknown).toEqual(wrong);
  });

  test("gives an unknown user the same salt each time, like a known one's in form", async () => {
    const server = scram();
    const ask = async (user: string) => {
      const answer = await server.exchange().step(data(`n,,n=${user},r=x`));
      return answer.kind === "continue" ? text(answer.data) : answer.kind;
    };
    const unknown = await ask("nobody");
    expect(await ask("nobody")).toBe(unknown);
    expect(await ask("somebody")).not.toBe(unknown);
    const shape = (message: string) => message.replace(/s=[A-Za-z0-9+/]{22}==/, "s=…");
    expect(shape(unknown)).toBe(shape(await ask("user")));
  });

  test.each([
    ["n,,n=user", "no nonce"],
    ["n,,n=,r=x", "no user"],
    ["n,,n=a=b,r=x", "an equals sign that is not escaped"],
    ["n,,n=\u0007,r=x", "a character that SASLprep prohibits"],
    ["p=tls-unique,,n=user,r=x", "channel binding"],
    ["n,,m=x,n=user,r=x", "a mandatory extension"],
    ["n,a=other,n=user,r=x", "another authorization identity"],
    ["", "nothing"],
    [`n,,n=${"u".repeat(5000)},r=x`, "too long"],
  ])("refuses the client-first message %j (%s)", async (message) => {
    expect(await scram().exchange().step(data(message))).toMatchObject({
      kind: "failure",
      reason: 0x87,
    });
  });

  test("refuses a first or second step without data", async () => {
    expect(await scram().exchange().step(undefined)).toMatchObject({ kind: "failure" });
    const exchange = scram().exchange();
    await exchange.step(new Client("user", "pencil").first());
    expect(await exchange.step(undefined)).toMatchObject({ kind: "failure" });
  });

  test("is over after an answer that ends it", async () => {
    const client = new Client("user", "pencil");
    const exchange = scram().exchange();
    await client.run(exchange);
    expect(await exchange.step(client.first())).toMatchObject({ kind: "failure", reason: 0x82 });
  });

  test("a proof is good for its own exchange only", async () => {
    const client = new Client("user", "pencil");
    const first = scram("one").exchange();
    const challenge = await first.step(client.first());
    const { message } = client.final(challenge.kind === "continue" ? text(challenge.data) : "");
    const second = scram("two").exchange();
    await second.step(client.first());
    expect(await second.step(data(message))).toMatchObject({ kind: "failure" });
  });

  test("refuses a downgrade of the channel binding header", async () => {
    const client = new Client("user", "pencil", "y,,");
    const exchange = scram().exchange();
    const challenge = await exchange.step(data(`n,,${client.bare}`));
    const { message } = client.final(challenge.kind === "continue" ? text(challenge.data) : "");
    expect(await exchange.step(data(message))).toMatchObject({ kind: "failure" });
  });
});

describe("re-authentication", () => {
  const previous = { user: "user", method: "SCRAM-SHA-256" };

  test("by the same user succeeds", async () => {
    const answer = await new Client("user", "pencil").run(scram().exchange(previous));
    expect(answer).toMatchObject({ kind: "success", identity: previous });
  });

  test("by another user is refused with 0x87", async () => {
    const answer = await new Client("a,b=c", "pencil").run(scram().exchange(previous));
    expect(answer).toMatchObject({ kind: "failure", reason: 0x87 });
  });

  test("with a wrong password is refused with 0x87, which a DISCONNECT can carry", async () => {
    const answer = await new Client("user", "pen").run(scram().exchange(previous));
    expect(answer).toMatchObject({ kind: "failure", reason: 0x87 });
  });
});

describe("properties", () => {
  test("whatever arrives, a step answers and never succeeds without the proof", async () => {
    const anything = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.string({ unit: "binary" }).map(data),
      fc
        .array(fc.constantFrom("n,,", "n=user", ",", "r=x", "c=biws", "p=", "=2C"), {
          maxLength: 8,
        })
        .map((parts) => data(parts.join(""))),
    );
    await fc.assert(
      fc.asyncProperty(anything, anything, async (one, two) => {
        const exchange = scram().exchange();
        const first = await exchange.step(one);
        expect(first.kind).not.toBe("success");
        expect((await exchange.step(two)).kind).toBe("failure");
      }),
    );
  });

  test("a client-final message with any byte changed is refused", async () => {
    const client = new Client("user", "pencil");
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.integer({ min: 1, max: 255 }), async (position, change) => {
        const exchange = scram().exchange();
        const challenge = await exchange.step(client.first());
        if (challenge.kind !== "continue") throw new Error("no challenge");
        const final = Buffer.from(client.final(text(challenge.data)).message);
        const index = position % final.length;
        final[index] = (final[index] ?? 0) ^ change;
        expect((await exchange.step(final)).kind).toBe("failure");
      }),
      { numRuns: 50 },
    );
  });

  test("any user name and password that SASLprep leaves alone works", async () => {
    const name = fc.string({ unit: "grapheme-ascii", minLength: 1 }).filter((s) => !/[:]/.test(s));
    await fc.assert(
      fc.asyncProperty(name, name, async (user, password) => {
        fc.pre(user.trim() === user && !user.startsWith("#"));
        const credential = await scramCredential(password, { iterations: 4096 });
        if (credential === undefined) throw new Error("not prepared");
        const file = parseCredentials(`${user}:${formatScram(credential)}`);
        const server = new Scram({ credentials: () => file });
        const answer = await new Client(user, password).run(server.exchange());
        expect(answer).toMatchObject({ kind: "success", identity: { user } });
      }),
      { numRuns: 30 },
    );
  });
});
