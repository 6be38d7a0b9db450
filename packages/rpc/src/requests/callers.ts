/** Who asks on streams of requests: see canopy.stream.v1.Caller. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Random, systemRandom } from "@canopy/base";
import { RpcError } from "../errors.ts";
import type { Caller, CallerSchema } from "../gen/canopy/stream/v1/request_pb.ts";
import type { RpcStream } from "../stream.ts";

/** Says who opens the next stream. */
export function createCaller(
  random: Random = systemRandom,
): () => MessageInitShape<typeof CallerSchema> {
  const id = BigInt(Math.floor(random.next() * Number.MAX_SAFE_INTEGER));
  let stream = 0n;
  return () => ({ id, stream: ++stream });
}

interface Current {
  readonly number: bigint;
  readonly stream: RpcStream;
}

/** The streams of all callers, one of each for the same. */
export class Callers {
  readonly #current = new Map<string, Current>();

  /** From here on nothing more comes on the one before. @throws where a later one is here already. */
  enter({ id, stream: number }: Caller, subject: string, stream: RpcStream): () => void {
    const key = `${id} ${subject}`;
    const before = this.#current.get(key);
    if (before !== undefined && before.number > number) {
      throw new RpcError("unavailable", "a later stream of this caller is here already");
    }
    before?.stream.close(new RpcError("unavailable", "a later stream of this caller has come"));
    this.#current.set(key, { number, stream });
    return () => {
      if (this.#current.get(key)?.stream === stream) this.#current.delete(key);
    };
  }
}
