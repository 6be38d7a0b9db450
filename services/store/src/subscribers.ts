import { FilterTrie, type Topic } from "@canopy/topic";
import { AwaitedLink, GatewayLink } from "./link.ts";
import { Match } from "./match.ts";
import { Queue } from "./queue.ts";
import type { Group } from "./share/group.ts";

type Target = GatewayLink | AwaitedLink | Queue | Group;

/**
 * Routes, interests and shared groups of all shards in one trie: a filter costs one entry, and a
 * topic's match is kept in the topic until the trie changes.
 */
export class Subscribers {
  readonly #trie = new FilterTrie<Target, Target>();

  /** `latest` is the newest entry in the pipeline of the topic's shard. */
  match(topic: Topic, latest: number): Match {
    if (topic.routesVersion === this.#trie.version) return topic.routes as Match;
    return this.#refresh(topic, latest);
  }

  /** A target is at most once under a filter; true when it was not there. */
  add(filter: string, target: Target): boolean {
    return this.#trie.add(filter, target, target);
  }

  remove(filter: string, target: Target): boolean {
    return this.#trie.remove(filter, target);
  }

  /** What is under the group's filter has changed its kind: matches are made again. */
  touch(filter: string, group: Group): void {
    this.#trie.add(filter, group, group);
  }

  #refresh(topic: Topic, latest: number): Match {
    const before = topic.routes as Match | undefined;
    // A topic that was forgotten and comes back may have messages of QoS ≥ 1 on their way: then
    // they are in no later entry than the latest. At QoS 0 that isn't worth waiting for the disk.
    const match =
      before === undefined
        ? this.#find(topic.name, latest, 0)
        : this.#find(topic.name, before.lastEntry, before.lastAtMostOnce);
    topic.routes = match;
    topic.routesVersion = this.#trie.version;
    return match;
  }

  #find(topic: string, lastEntry: number, lastAtMostOnce: number): Match {
    const queues: Queue[] = [];
    const links = new Set<GatewayLink>();
    const awaited = new Set<GatewayLink>();
    const queuedGroups: Group[] = [];
    const directGroups: Group[] = [];
    this.#trie.match(topic, (target) => {
      if (target instanceof GatewayLink) links.add(target);
      else if (target instanceof AwaitedLink) awaited.add(target.link);
      else if (target instanceof Queue) queues.push(target);
      else if (target.queue === undefined) directGroups.push(target);
      else {
        queues.push(target.queue);
        queuedGroups.push(target);
      }
    });
    return new Match(
      orNone(queues),
      orNone([...links]),
      orNone([...awaited]),
      orNone(queuedGroups),
      orNone(directGroups),
      lastEntry,
      lastAtMostOnce,
    );
  }
}

const NONE: readonly never[] = [];

/** There is a match for every topic, and most of its lists are empty. */
function orNone<T>(list: readonly T[]): readonly T[] {
  return list.length === 0 ? NONE : list;
}
