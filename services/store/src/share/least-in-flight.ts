import type { Member } from "./member.ts";

/**
 * The member with the fewest deliveries in flight, and of equal ones who was chosen longest ago.
 * A binary heap in which each member knows its slot: choosing is O(1), a change O(log members).
 */
export class LeastInFlight {
  readonly #heap: Member[] = [];

  choose(): Member {
    return this.#heap[0] as Member;
  }

  joined(member: Member): void {
    member.slot = this.#heap.length;
    this.#heap.push(member);
    this.#up(member.slot);
  }

  left(member: Member): void {
    const slot = member.slot;
    const last = this.#heap.pop() as Member;
    member.slot = -1;
    if (last === member) return;
    this.#put(slot, last);
    this.changed(last);
  }

  changed(member: Member): void {
    this.#up(member.slot);
    this.#down(member.slot);
  }

  #up(from: number): void {
    let slot = from;
    const member = this.#heap[slot] as Member;
    while (slot > 0) {
      const parent = (slot - 1) >> 1;
      const above = this.#heap[parent] as Member;
      if (!isBefore(member, above)) break;
      this.#put(slot, above);
      slot = parent;
    }
    this.#put(slot, member);
  }

  #down(from: number): void {
    let slot = from;
    const member = this.#heap[slot] as Member;
    for (;;) {
      let child = 2 * slot + 1;
      const left = this.#heap[child];
      if (left === undefined) break;
      const right = this.#heap[child + 1];
      if (right !== undefined && isBefore(right, left)) child++;
      const below = this.#heap[child] as Member;
      if (!isBefore(below, member)) break;
      this.#put(slot, below);
      slot = child;
    }
    this.#put(slot, member);
  }

  #put(slot: number, member: Member): void {
    this.#heap[slot] = member;
    member.slot = slot;
  }
}

function isBefore(a: Member, b: Member): boolean {
  if (a.hasRoom !== b.hasRoom) return a.hasRoom;
  if (a.outstanding !== b.outstanding) return a.outstanding < b.outstanding;
  return a.chosen < b.chosen;
}
