import type { Member, ReadonlyView } from "@canopy/control";
import type { RouteSink } from "@canopy/session";

/** What a node needs to reach store processes. */
export interface StoreSinksParts {
  readonly view: ReadonlyView;
  /** A port of the process of this life. */
  readonly connect: (member: Member) => RouteSink;
  /** Its life is over. */
  readonly drop: (member: Member) => void;
}

/** One port for each life of a store process, which all groups of this node use, until its end. */
export class StoreSinks {
  readonly #parts: StoreSinksParts;
  readonly #sinks = new Map<number, { readonly member: Member; readonly sink: RouteSink }>();

  constructor(parts: StoreSinksParts) {
    this.#parts = parts;
    parts.view.listen(() => this.#follow());
  }

  of(member: Member): RouteSink {
    const known = this.#sinks.get(member.incarnation);
    if (known !== undefined) return known.sink;
    const sink = this.#parts.connect(member);
    this.#sinks.set(member.incarnation, { member, sink });
    return sink;
  }

  #follow(): void {
    for (const [incarnation, { member }] of this.#sinks) {
      if (this.#parts.view.member(incarnation) !== undefined) continue;
      this.#sinks.delete(incarnation);
      this.#parts.drop(member);
    }
  }
}
