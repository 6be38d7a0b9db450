/** What the simulation is there to find. */
export class Violation extends Error {
  override readonly name = "Violation";
  /** In the words of the list in docs/raft-simulation.md. */
  readonly invariant: string;

  constructor(invariant: string, detail: string) {
    super(`${invariant}: ${detail}`);
    this.invariant = invariant;
  }
}
