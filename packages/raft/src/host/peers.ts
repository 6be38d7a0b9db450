/** Where the other replicas of a group are, and whether they still have the disk they began with. */
import type { Logger } from "@canopy/base";
import type { RaftCore } from "../core/port.ts";
import type { ReplicaId } from "../core/types.ts";
import type { DiskId, GroupId } from "../storage/port.ts";
import type { NodeName } from "../transport/port.ts";

const OTHER_DISK: string =
  "the group knows this replica by another disk, so what it had promised is forgotten here: " +
  "remove it and add it under a new id";

export class Peers {
  readonly #group: GroupId;
  readonly #core: RaftCore;
  readonly #disk: DiskId;
  readonly #logger: Logger;
  /** From whom something came: a new replica answers before it has a configuration. */
  readonly #heard = new Map<ReplicaId, NodeName>();
  readonly #impostors = new Set<ReplicaId>();

  /** `disk`: the one of this replica. */
  constructor(group: GroupId, core: RaftCore, disk: DiskId, logger: Logger) {
    this.#group = group;
    this.#core = core;
    this.#disk = disk;
    this.#logger = logger;
  }

  /** Of the members that there are now. */
  get impostors(): readonly ReplicaId[] {
    const { nodes } = this.#core.configuration;
    return [...this.#impostors].filter((id) => nodes.has(id));
  }

  /** Before anything that this replica says leaves it: throws if it is not the one that is named. */
  checkOwn(): void {
    const { id, configuration } = this.#core;
    const own = configuration.nodes.get(id);
    if (own !== undefined && own.disk !== this.#disk) throw new Error(OTHER_DISK);
  }

  nodeOf(id: ReplicaId): NodeName | undefined {
    return this.#core.configuration.nodes.get(id)?.name ?? this.#heard.get(id);
  }

  nodesOf(ids: readonly ReplicaId[]): readonly NodeName[] {
    return ids.map((id) => this.nodeOf(id)).filter((node) => node !== undefined);
  }

  /** Nodes of the members that there are now, but for this one. */
  get others(): readonly NodeName[] {
    const { id: self, configuration } = this.#core;
    return this.nodesOf([...configuration.nodes.keys()].filter((id) => id !== self));
  }

  /**
   * False for a replica that came back without its disk: it has forgotten its votes and what it
   * acknowledged, so counting it could elect two leaders or lose what was committed. One that the
   * configuration in force does not name yet counts for nothing, but may lead.
   */
  admit(id: ReplicaId, node: NodeName, disk: DiskId): boolean {
    const known = this.#core.configuration.nodes.get(id);
    if (known !== undefined && known.disk !== disk) {
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
