/** Names of files twice: as the process sees them, and as they are on the platter. */
import { dirname } from "node:path/posix";
import type { Dice } from "../dice.ts";
import type { Inode } from "./inode.ts";

/** `from` loses its name, `to` gets the file. One or both. */
interface NameChange {
  readonly directory: string;
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly inode: Inode;
}

export class Names {
  readonly directories = new Set<string>(["/"]);
  readonly #seen = new Map<string, Inode>();
  readonly #kept = new Map<string, Inode>();
  #changes: NameChange[] = [];

  get(path: string): Inode | undefined {
    return this.#seen.get(path);
  }

  in(directory: string): string[] {
    const names: string[] = [];
    for (const path of [...this.#seen.keys(), ...this.directories]) {
      if (path !== directory && dirname(path) === directory) {
        names.push(path.slice(directory.length + (directory === "/" ? 0 : 1)));
      }
    }
    return names;
  }

  used(): number {
    let bytes = 0;
    for (const inode of this.#seen.values()) bytes += inode.size;
    return bytes;
  }

  create(path: string, inode: Inode): void {
    this.#seen.set(path, inode);
    this.#changes.push({ directory: dirname(path), from: undefined, to: path, inode });
  }

  rename(from: string, to: string, inode: Inode): void {
    this.#seen.delete(from);
    this.#seen.set(to, inode);
    this.#changes.push({ directory: dirname(to), from, to, inode });
  }

  remove(path: string, inode: Inode): void {
    this.#seen.delete(path);
    this.#changes.push({ directory: dirname(path), from: path, to: undefined, inode });
  }

  /** What a sync that begins now covers. */
  pending(directory: string): readonly NameChange[] {
    return this.#changes.filter((change) => change.directory === directory);
  }

  sync(changes: readonly NameChange[]): void {
    const synced = new Set(changes);
    this.#changes = this.#changes.filter((change) => {
      if (!synced.has(change)) return true;
      this.#keep(change);
      return false;
    });
  }

  /** Some journals keep a prefix of what was not synced, others any part of it. */
  crash(dice: Dice, sector: number): void {
    const inOrder = dice.chance(0.5);
    const probability = dice.pick([0, 0.5, 1]);
    for (const change of this.#changes) {
      if (dice.chance(probability)) this.#keep(change);
      else if (inOrder) break;
    }
    this.#changes = [];
    this.#seen.clear();
    const crashed = new Set<Inode>();
    for (const [path, inode] of this.#kept) {
      if (!crashed.has(inode)) inode.crash(dice, sector);
      crashed.add(inode);
      this.#seen.set(path, inode);
    }
  }

  /** As a crash that loses everything unsynced would leave them. */
  platter(): Names {
    const copy = new Names();
    for (const directory of this.directories) copy.directories.add(directory);
    for (const [path, inode] of this.#kept) {
      const kept = inode.platter();
      copy.#kept.set(path, kept);
      copy.#seen.set(path, kept);
    }
    return copy;
  }

  #keep({ from, to, inode }: NameChange): void {
    if (from !== undefined && this.#kept.get(from) === inode) this.#kept.delete(from);
    if (to !== undefined) this.#kept.set(to, inode);
  }
}
