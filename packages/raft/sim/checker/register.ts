/** A register that is read, written, and compared and set. It begins with 0. */
import type { Model } from "./linearizable.ts";

export type RegisterInput =
  | { readonly kind: "read" }
  | { readonly kind: "write"; readonly value: number }
  | { readonly kind: "cas"; readonly from: number; readonly value: number };

/** Output: of a read the value; of a compare-and-set 1 where it set, else 0; of a write anything. */
export const register: Model<number, RegisterInput, number> = {
  initial: 0,
  step(state, input, output) {
    switch (input.kind) {
      case "read":
        return output === undefined || output === state ? state : undefined;
      case "write":
        return input.value;
      case "cas": {
        const sets = state === input.from;
        if (output !== undefined && (output === 1) !== sets) return undefined;
        return sets ? input.value : state;
      }
    }
  },
};
