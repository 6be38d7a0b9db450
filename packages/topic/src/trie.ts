import { FilterEntry } from "./entry.ts";
import { isExact } from "./filter.ts";

/**
 * One level of the wildcard filters. Far from the root nearly every node has one child, so a Map
 * comes with the second one.
 */
class Node<V, K> {
  readonly level: string;
  children: Node<V, K> | Map<string, Node<V, K>> | undefined = undefined;
  /** The child for "+". */
  plus: Node<V, K> | undefined = undefined;
  /** The filter that goes on with "#" from here. */
  hash: FilterEntry<V, K> | undefined = undefined;
  /** The filter that ends here. */
  entry: FilterEntry<V, K> | undefined = undefined;

  constructor(level: string) {
    this.level = level;
  }

  get isEmpty(): boolean {
    const { children, plus, hash, entry } = this;
    return (children ?? plus ?? hash ?? entry) === undefined;
  }

  child(level: string): Node<V, K> | undefined {
    if (level === "+") return this.plus;
    return this.literal(level);
  }

  /** A topic's level: a "+" in it would be no wildcard, and there is none. */
  literal(level: string): Node<V, K> | undefined {
    const { children } = this;
    if (children === undefined) return undefined;
    if (children instanceof Node) return children.level === level ? children : undefined;
    return children.get(level);
  }

  link(child: Node<V, K>): void {
    const { children } = this;
    if (child.level === "+") this.plus = child;
    else if (children === undefined) this.children = child;
    else if (children instanceof Map) children.set(child.level, child);
    else {
      this.children = new Map([
        [children.level, children],
        [child.level, child],
      ]);
    }
  }

  unlink(child: Node<V, K>): void {
    const { children } = this;
    if (child.level === "+") this.plus = undefined;
    else if (!(children instanceof Map)) this.children = undefined;
    else {
      children.delete(child.level);
      if (children.size === 0) this.children = undefined;
    }
  }
}

/**
 * Values by (filter, key), and the answer to which of them a topic name matches, at a cost that
 * does not depend on the filters that don't match.
 *
 * Filters must be valid and come without "$share/…". A filter without wildcards matches only the
 * topic of its own name, so it takes one entry in a Map and no node in the tree.
 */
export class FilterTrie<V, K = string> {
  readonly #entries = new Map<string, FilterEntry<V, K>>();
  #root = new Node<V, K>("");
  #size = 0;
  #version = 0;
  #filtersVersion = 0;

  /** How many (filter, key) pairs. */
  get size(): number {
    return this.#size;
  }

  /** How many filters. */
  get filters(): number {
    return this.#entries.size;
  }

  /** Grows with every change, a replaced value included: a cached match of it is still good. */
  get version(): number {
    return this.#version;
  }

  /** Grows when a filter comes or goes: with it, entries from matchFilters are still the ones. */
  get filtersVersion(): number {
    return this.#filtersVersion;
  }

  /** Adds or replaces; true when the pair is new. */
  add(filter: string, key: K, value: V): boolean {
    this.#version++;
    const entry = this.#entries.get(filter);
    if (entry !== undefined) {
      const isNew = entry.set(key, value);
      if (isNew) this.#size++;
      return isNew;
    }
    this.#insert(filter, new FilterEntry(filter, key, value));
    this.#size++;
    return true;
  }

  /** True when the pair was there. */
  remove(filter: string, key: K): boolean {
    const entry = this.#entries.get(filter);
    if (entry === undefined || !entry.delete(key)) return false;
    this.#version++;
    this.#size--;
    if (entry.size === 0) this.#drop(filter);
    return true;
  }

  get(filter: string): FilterEntry<V, K> | undefined {
    return this.#entries.get(filter);
  }

  clear(): void {
    this.#entries.clear();
    this.#root = new Node("");
    this.#size = 0;
    this.#version++;
    this.#filtersVersion++;
  }

  /** In the order in which the filters were added. */
  [Symbol.iterator](): Iterator<FilterEntry<V, K>> {
    return this.#entries.values();
  }

  /** Calls visit for each value whose filter matches; visit may not change the trie. */
  match(topic: string, visit: (value: V, key: K, filter: string) => void): void {
    for (const entry of this.matchFilters(topic)) entry.forEach(visit);
  }

  /** The entries whose filter matches the topic name. */
  matchFilters(topic: string): FilterEntry<V, K>[] {
    const found: FilterEntry<V, K>[] = [];
    const exact = this.#entries.get(topic);
    if (exact !== undefined) found.push(exact);
    if (!this.#root.isEmpty) this.#matchWildcards(topic, found);
    return found;
  }

  /** Level by level over all nodes that still match, not recursive: a topic may have 65,536. */
  #matchWildcards(topic: string, found: FilterEntry<V, K>[]): void {
    // [MQTT-4.7.2-1] no wildcard at the first level matches "$…"
    const system = topic.startsWith("$");
    const root = this.#root;
    if (!system && root.hash !== undefined) found.push(root.hash);
    let reached = [root];
    let start = 0;
    while (reached.length > 0 && start <= topic.length) {
      const slash = topic.indexOf("/", start);
      const end = slash < 0 ? topic.length : slash;
      const level = topic.slice(start, end);
      const next: Node<V, K>[] = [];
      for (const node of reached) {
        const literal = node.literal(level);
        if (literal !== undefined) next.push(literal);
        if (node.plus !== undefined && !(system && start === 0)) next.push(node.plus);
      }
      // "#" stands for any number of further levels, also for none.
      for (const node of next) if (node.hash !== undefined) found.push(node.hash);
      reached = next;
      start = end + 1;
    }
    for (const node of reached) if (node.entry !== undefined) found.push(node.entry);
  }

  #insert(filter: string, entry: FilterEntry<V, K>): void {
    this.#filtersVersion++;
    this.#entries.set(filter, entry);
    if (isExact(filter)) return;
    let node = this.#root;
    for (const level of filter.split("/")) {
      if (level === "#") {
        node.hash = entry;
        return;
      }
      let child = node.child(level);
      if (child === undefined) {
        child = new Node<V, K>(level);
        node.link(child);
      }
      node = child;
    }
    node.entry = entry;
  }

  #drop(filter: string): void {
    this.#filtersVersion++;
    this.#entries.delete(filter);
    if (isExact(filter)) return;
    const levels = filter.split("/");
    const path = [this.#root];
    for (const level of levels) {
      const child = level === "#" ? undefined : path[path.length - 1]?.child(level);
      if (child !== undefined) path.push(child);
    }
    const last = path[path.length - 1] as Node<V, K>;
    if (levels[levels.length - 1] === "#") last.hash = undefined;
    else last.entry = undefined;
    prune(path);
  }
}

/** Takes out the nodes at the end of a path that nothing needs any more. */
function prune<V, K>(path: Node<V, K>[]): void {
  for (let i = path.length - 1; i > 0; i--) {
    const node = path[i] as Node<V, K>;
    if (!node.isEmpty) return;
    path[i - 1]?.unlink(node);
  }
}
