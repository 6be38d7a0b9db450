import { FilterTrie, type Topic } from "@canopy/topic";
import type { Client } from "../client.ts";
import { mergeSubs, type Sub, type Target } from "./sub.ts";

/** Which connected clients a topic concerns: the gateway's own trie, with a cached match per topic. */
export class Targets {
  readonly #trie = new FilterTrie<Sub, Client>();

  add(sub: Sub): void {
    this.#trie.add(sub.plainFilter, sub.client, sub);
  }

  remove(sub: Sub): void {
    this.#trie.remove(sub.plainFilter, sub.client);
  }

  get size(): number {
    return this.#trie.size;
  }

  /** One target per client. The array is the cache's own. */
  of(topic: Topic): readonly Target[] {
    if (topic.targetsVersion === this.#trie.version) return topic.targets as readonly Target[];
    const targets = this.#match(topic.name);
    topic.targets = targets;
    topic.targetsVersion = this.#trie.version;
    return targets;
  }

  #match(name: string): Target[] {
    const entries = this.#trie.matchFilters(name);
    const targets: Target[] = [];
    if (entries.length === 0) return targets;
    if (entries.length === 1) {
      entries[0]?.forEach((sub) => {
        targets.push(sub.target);
      });
      return targets;
    }
    const byClient = new Map<Client, Sub[]>();
    for (const entry of entries) {
      entry.forEach((sub, client) => {
        const subs = byClient.get(client);
        if (subs === undefined) byClient.set(client, [sub]);
        else subs.push(sub);
      });
    }
    for (const subs of byClient.values()) targets.push(mergeSubs(subs));
    return targets;
  }
}
