import {
  type DeliveryChanges,
  type GatewayPeer,
  type Opened,
  type OpenRequest,
  type Progress,
  type SessionCounts,
  SessionError,
  type SessionErrorCode,
  type Sessions,
  type SubscribeResult,
} from "@canopy/session";

type Answer = (call: string) => Promise<unknown>;

/** A group at one node that writes down what it is asked, and answers what a test tells it to. */
export class FakeSessions implements Sessions {
  readonly asked: string[] = [];
  readonly peers: GatewayPeer[] = [];
  /** What to answer to calls, in order; after that `otherwise`. */
  answers: Answer[] = [];
  otherwise: Answer = () => Promise.resolve(undefined);

  attach(gateway: number, peer: GatewayPeer): Promise<void> {
    this.peers.push(peer);
    return this.#answer(`attach ${gateway}`);
  }

  open({ clientId, requestId }: OpenRequest): Promise<Opened> {
    return this.#answer(`open ${clientId} ${requestId}`);
  }

  withdraw({ clientId }: { readonly clientId: string }): Promise<void> {
    return this.#answer(`withdraw ${clientId}`);
  }

  release({ incarnation }: { readonly incarnation: number }): Promise<void> {
    return this.#answer(`release ${incarnation}`);
  }

  subscribe({ incarnation }: { readonly incarnation: number }): Promise<SubscribeResult> {
    return this.#answer(`subscribe ${incarnation}`);
  }

  unsubscribe({ incarnation }: { readonly incarnation: number }): Promise<readonly boolean[]> {
    return this.#answer(`unsubscribe ${incarnation}`);
  }

  progress(batch: readonly Progress[]): Promise<void> {
    return this.#answer(`progress ${batch.map(({ incarnation }) => incarnation).join(" ")}`);
  }

  deliveries(batch: readonly DeliveryChanges[]): Promise<void> {
    return this.#answer(`deliveries ${batch.map(({ incarnation }) => incarnation).join(" ")}`);
  }

  counts(): Promise<SessionCounts> {
    return this.#answer("counts");
  }

  /** What was asked since the last time. */
  news(): string[] {
    return this.asked.splice(0);
  }

  #answer(call: string): Promise<never> {
    this.asked.push(call);
    return (this.answers.shift() ?? this.otherwise)(call) as Promise<never>;
  }
}

export function refusal(code: SessionErrorCode, leader?: string): Answer {
  return () => Promise.reject(new SessionError(code, code, { leader }));
}

export function never(): Promise<unknown> {
  return new Promise(() => {});
}
