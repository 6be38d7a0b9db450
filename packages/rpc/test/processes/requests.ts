/** What clients ask of a node, as JSON. */
import type { Origin } from "@canopy/raft";
import type { Command } from "./machine.ts";

export type Request =
  | { readonly kind: "status" }
  /** What this node has applied. */
  | { readonly kind: "dump" }
  | { readonly kind: "read" | "list"; readonly key: number }
  | { readonly kind: "propose"; readonly command: Command; readonly origin?: Origin };
