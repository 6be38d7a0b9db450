import { pick, type Random, randomInt } from "@canopy/base";
import { RecordView } from "@canopy/codec";
import type { SharedStrategy } from "@canopy/config";
import { hashBytes, weightOf } from "./hash.ts";
import { LeastInFlight } from "./least-in-flight.ts";
import type { Member } from "./member.ts";

/** A record that somebody has to get. */
export interface Candidate {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

/** Which member of a group gets a message. There is at least one member. */
export interface Strategy {
  /** Who should get it. If that member has no room, the message waits (or goes all the same). */
  choose(members: readonly Member[], message: Candidate): Member;
  joined?(member: Member): void;
  left?(member: Member): void;
  /** Its deliveries in flight, or when it was chosen, changed. */
  changed?(member: Member): void;
}

/** Members take turns; one without room loses its turn. */
class RoundRobin implements Strategy {
  #next = 0;

  choose(members: readonly Member[]): Member {
    const chosen = withRoomFrom(members, this.#next % members.length);
    this.#next = members.indexOf(chosen) + 1;
    return chosen;
  }
}

class Chance implements Strategy {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  choose(members: readonly Member[]): Member {
    const first = members[randomInt(this.#random, members.length)] as Member;
    if (first.hasRoom) return first;
    const withRoom = members.filter((member) => member.hasRoom);
    return withRoom.length > 0 ? pick(this.#random, withRoom) : first;
  }
}

/** One member gets everything until it goes; messages wait for it while it has no room. */
class Sticky implements Strategy {
  readonly #random: Random;
  #member: Member | undefined;

  constructor(random: Random) {
    this.#random = random;
  }

  choose(members: readonly Member[]): Member {
    if (this.#member === undefined || this.#member.isGone) {
      this.#member = pick(this.#random, members);
    }
    return this.#member;
  }
}

/**
 * Rendezvous hashing: a key stays with its member, and when a member goes only its keys move.
 * Messages wait for a member without room: to go elsewhere would break what this is chosen for.
 */
class Hashed implements Strategy {
  readonly #keyOf: (message: Candidate) => number;

  constructor(keyOf: (message: Candidate) => number) {
    this.#keyOf = keyOf;
  }

  choose(members: readonly Member[], message: Candidate): Member {
    const key = this.#keyOf(message);
    let best = members[0] as Member;
    let most = -1;
    for (const member of members) {
      const weight = weightOf(key, member.hash);
      if (weight <= most) continue;
      most = weight;
      best = member;
    }
    return best;
  }
}

export function makeStrategy(name: SharedStrategy, random: Random): Strategy {
  switch (name) {
    case "least-inflight":
      return new LeastInFlight();
    case "round-robin":
      return new RoundRobin();
    case "random":
      return new Chance(random);
    case "sticky":
      return new Sticky(random);
    case "hash-publisher":
      return new Hashed(publisherKey);
    case "hash-topic":
      return new Hashed(topicKey);
  }
}

const view = new RecordView();

function publisherKey({ bytes, start, end }: Candidate): number {
  view.set(bytes, start, end);
  return hashBytes(bytes, view.clientIdStart, view.clientIdEnd);
}

function topicKey({ bytes, start, end }: Candidate): number {
  view.set(bytes, start, end);
  return hashBytes(bytes, view.topicStart, view.topicEnd);
}

function withRoomFrom(members: readonly Member[], start: number): Member {
  for (let i = 0; i < members.length; i++) {
    const member = members[(start + i) % members.length] as Member;
    if (member.hasRoom) return member;
  }
  return members[start] as Member;
}
