/** What the state holds, and the one way in which it changes: by changes of the view. */
import type { Change, Incarnation, Version, WholeView } from "./change.ts";
import { ClusterView } from "./view.ts";
import { ChangeWindow } from "./window.ts";

/** Changes that are kept for watchers that come back. */
const WINDOW = 10_000;

export class Tables {
  readonly view: ClusterView = new ClusterView();
  /** Of live members: what they joined with. */
  readonly tokens: Map<Incarnation, string> = new Map();
  readonly window: ChangeWindow;
  /** The highest id that a replica was given. */
  lastReplica = 0;

  constructor(whole: WholeView, window: number = WINDOW) {
    this.view.load(whole);
    this.window = new ChangeWindow(window, whole.version);
  }

  /** Nothing changes without a version of its own. */
  commit(changes: readonly Change[], version: Version): void {
    if (changes.length === 0) return;
    const versioned = changes.map((change) => ({ version, change }));
    for (const one of versioned) this.window.add(one);
    this.view.apply(versioned, version);
  }
}
