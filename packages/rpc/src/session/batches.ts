/** Batches of progress and deliveries, which travel as the commands that they become. */
import { DecodeError } from "@canopy/base";
import {
  type DeliveryChanges,
  decodeCommand,
  encodeCommand,
  type Progress,
  type Sessions,
} from "@canopy/session";
import { RpcError } from "../errors.ts";

/** Sessions in one message: a long one would hold up what comes behind it. */
const PART = 1_000;

export type Batch =
  | { readonly type: "progress"; readonly batch: readonly Progress[] }
  | { readonly type: "deliveries"; readonly batch: readonly DeliveryChanges[] };

/** A message for each part of a long batch, in order; one for an empty batch. */
export function encodeBatches({ type, batch }: Batch): Uint8Array[] {
  const messages: Uint8Array[] = [];
  for (let i = 0; i === 0 || i < batch.length; i += PART) {
    const part = { type, at: 0, batch: batch.slice(i, i + PART) } as Batch & { readonly at: 0 };
    messages.push(encodeCommand(part));
  }
  return messages;
}

/** Does what a message asks for. */
export async function takeBatch(sessions: Sessions, message: Buffer): Promise<void> {
  const command = decoded(message);
  if (command.type === "progress") return sessions.progress(command.batch);
  if (command.type === "deliveries") return sessions.deliveries(command.batch);
  throw new RpcError("internal", `not for a gateway to ask: ${command.type}`);
}

function decoded(message: Buffer): ReturnType<typeof decodeCommand> {
  try {
    return decodeCommand(message);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw new RpcError("internal", error.message, { cause: error });
  }
}
