import type { Defect } from "./defect.ts";

/** For each promise at least one bug that breaks it. */
export const defects: readonly Defect[] = [
  {
    name: "acknowledge before the append",
    faults: ["kill store owner", "kill broker"],
    edits: [
      {
        file: "services/store/src/pipeline.ts",
        find: "store.append(append).then(",
        replace: `new Promise((resolve) => {
          resolve(undefined);
          setTimeout(() => store.append(append).catch(() => {}), 300);
        }).then(`,
      },
    ],
  },
  {
    name: "no batch numbers",
    faults: ["kill store owner"],
    edits: [
      {
        file: "services/store/src/sender.ts",
        find: "return seq <= this.#taken;",
        replace: "return seq < 0;",
      },
    ],
  },
  {
    name: "no watermarks",
    faults: ["kill store owner", "pause store owner"],
    edits: [
      {
        file: "packages/cluster/src/shards/watermarks.ts",
        find: "if (before === -1) return",
        replace: "if (before > -2) return",
      },
    ],
  },
  {
    name: "no receipts",
    faults: ["kill gateway", "none"],
    edits: [
      {
        file: "services/store/src/planner.ts",
        find: "    receipts.began(session, key);\n    draft.receipt(session, key, true);",
        replace: "",
      },
    ],
  },
  {
    name: "no epoch check",
    faults: ["pause gateway", "none", "kill gateway"],
    edits: [
      {
        file: "packages/session/src/tables.ts",
        find: "return session?.epoch === epoch && session.gateway !== 0 ? session : undefined;",
        replace: "return session;",
      },
    ],
  },
  {
    name: "forget unfinished on takeover",
    faults: ["none"],
    edits: [
      {
        file: "packages/session/src/describe.ts",
        find: "unfinished: session.unfinished === undefined ? NONE : [...session.unfinished.values()],\n    receiptShards",
        replace: "unfinished: NONE,\n    receiptShards",
      },
    ],
  },
  {
    name: "forget that PUBREC came",
    faults: ["kill gateway", "none"],
    edits: [
      {
        file: "packages/session/src/deliver.ts",
        find: "session.unfinished?.set(packetId, { ...entry, received: true });",
        replace: "",
      },
    ],
  },
  {
    name: "trim without floors",
    faults: ["none"],
    edits: [
      {
        file: "services/store/src/trim.ts",
        find: "Math.min(lowest[i] ?? 0, head)",
        replace: "head",
      },
    ],
  },
  {
    name: "an owner is not asked to stop",
    faults: ["none"],
    edits: [
      {
        file: "services/session/src/claims.ts",
        find: "session.gateway === 0 || isOf(session, claim.request)",
        replace: "session !== null",
      },
      {
        file: "packages/session/src/opening.ts",
        find: "if (found !== undefined && found.gateway !== 0) {",
        replace: "if (found === null) {",
      },
    ],
  },
  {
    name: "a session is lost now and then",
    faults: ["none"],
    edits: [
      {
        file: "packages/session/src/opening.ts",
        find: "if (!cleanStart && !isExpired(tables, session)) return true;",
        replace: "if (!cleanStart && session.epoch % 5 !== 0) return true;",
      },
    ],
  },
  {
    name: "a will in spite of DISCONNECT",
    faults: ["none"],
    edits: [
      {
        file: "packages/session/src/ending.ts",
        find: 'if (request.will === "drop") session.will = undefined;',
        replace: "",
      },
    ],
  },
  {
    name: "a will is forgotten",
    faults: ["none"],
    edits: [
      {
        file: "packages/session/src/ending.ts",
        find: "tables.effects.willPending(pending);",
        replace: "",
      },
      {
        file: "packages/session/src/ending.ts",
        find: "tables.wills.set(willKey(incarnation, epoch), pending);",
        replace: "",
      },
    ],
  },
  {
    name: "some retained values are not kept",
    faults: ["none"],
    edits: [
      {
        file: "services/store/src/planner.ts",
        find: "const retained = view.retain ?",
        replace: "const retained = view.retain && Math.random() < 0.9 ?",
      },
    ],
  },
  {
    name: "a group's progress is written before the last owner's is known",
    faults: ["kill gateway", "kill store owner"],
    edits: [
      {
        file: "services/store/src/shards-port.ts",
        find: "if (!isReady) throw",
        replace: "if (isReady === undefined) throw",
      },
    ],
  },
  {
    name: "now and then a batch is overtaken",
    faults: ["none"],
    edits: [
      {
        file: "services/gateway/src/publisher.ts",
        find: "this.#gateway.shards.publish(batch);",
        replace: `const given = (Publisher.given ??= []);
    const give = () => {
      batch.seq = given[shard] = (given[shard] ?? 0) + 1;
      this.#gateway.shards.publish(batch);
    };
    if (Math.random() < 0.1) setTimeout(give, 400);
    else give();`,
      },
    ],
  },
];
