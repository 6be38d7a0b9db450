/** Those who follow the control log at this replica. */
import type { ControlError, ControlState, Version, Watch, WatchSink } from "@canopy/control";

interface Watcher {
  readonly sink: WatchSink;
  /** What it has. */
  version: Version;
}

export class Watchers {
  readonly #state: () => ControlState;
  readonly #watchers = new Set<Watcher>();
  #ended: ControlError | undefined;

  constructor(state: () => ControlState) {
    this.#state = state;
  }

  /** Nothing is said before this has returned. */
  watch(after: Version, sink: WatchSink): Watch {
    const watcher = { sink, version: after };
    this.#watchers.add(watcher);
    queueMicrotask(() => {
      if (!this.#watchers.has(watcher)) return;
      if (this.#ended === undefined) this.#feed(watcher);
      else this.#end(watcher, this.#ended);
    });
    return { close: () => this.#watchers.delete(watcher) };
  }

  /** The state may have changed. */
  feed(): void {
    for (const watcher of this.#watchers) this.#feed(watcher);
  }

  /** Also all that come later. */
  end(why: ControlError): void {
    this.#ended = why;
    for (const watcher of this.#watchers) this.#end(watcher, why);
  }

  #feed(watcher: Watcher): void {
    const state = this.#state();
    if (state.version <= watcher.version) return;
    // From nothing, or too far back.
    const changes = watcher.version === 0 ? undefined : state.changesSince(watcher.version);
    watcher.version = state.version;
    if (changes === undefined) watcher.sink.whole(state.whole());
    else watcher.sink.changes(changes, state.version);
  }

  #end(watcher: Watcher, why: ControlError): void {
    this.#watchers.delete(watcher);
    watcher.sink.ended(why);
  }
}
