/** Where the other replicas of a group are, and whether they still have the disk they began with. */
import type { Logger } from "@canopy/base";
import type { Configuration, ReplicaId } from "../core/types.ts";
import type { DiskId, GroupId, RaftStorage } from "../storage/port.ts";
import type { NodeName } from "../transport/port.ts";

export class Peers {
  readonly #group: GroupId;
  readonly #storage: RaftStorage;
  readonly #logger: Logger;
  readonly #disks: Map<ReplicaId, DiskId>;
  /** From whom something came: a new replica answers before it has a configuration. */
  readonly #heard = new Map<ReplicaId, NodeName>();
  readonly #impostors = new Set<ReplicaId>();

  constructor(
    group: GroupId,
    disks: ReadonlyMap<ReplicaId, DiskId>,
    storage: RaftStorage,
    logger: Logger,
  ) {
    this.#group = group;
    this.#storage = storage;
    this.#logger = logger;
    this.#disks = new Map(disks);
  }

  get impostors(): readonly ReplicaId[] {
    return [...this.#impostors];
  }

  nodeOf(id: ReplicaId, configuration: Configuration): NodeName | undefined {
    return configuration.nodes.get(id) ?? this.#heard.get(id);
  }

  /**
   * False for a replica that came back without its disk: it has forgotten its votes and what it
   * acknowledged, so counting it could elect two leaders or lose what was committed.
   */
  admit(id: ReplicaId, node: NodeName, disk: DiskId): boolean {
    const known = this.#disks.get(id);
    if (known === undefined) {
      this.#disks.set(id, disk);
      this.#storage.met(this.#group, id, disk);
    } else if (known !== disk) {
      this.#refuse(id, node);
      return false;
    }
    if (this.#heard.get(id) !== node) this.#heard.set(id, node);
    return true;
  }

  #refuse(id: ReplicaId, node: NodeName): void {
    if (this.#impostors.has(id)) return;
    this.#impostors.add(id);
    this.#logger.error(
      { group: this.#group, replica: id, node },
      "a replica came back with another disk and is ignored: remove it and add it under a new id",
    );
  }
}
