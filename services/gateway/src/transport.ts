/** A network connection as the gateway sees it: TCP or WebSocket, bytes in order both ways. */
export interface Transport {
  /** Remote address without the port. */
  readonly remoteAddress: string;
  /** Name of the listener that accepted it, e.g. `tcp://127.0.0.1:1883`. */
  readonly listener: string;
  /** Bytes written that the operating system has not taken yet. */
  readonly backlog: number;
  /**
   * Sends the bytes. They are the transport's until {@link backlog} is 0 again; where it is 0 when
   * this returns, they may be changed at once.
   */
  write(bytes: Buffer): void;
  /** Stops and goes on reading. */
  pause(): void;
  resume(): void;
  /** Sends what is written, then closes; closes anyway after a short time. */
  end(): void;
  /** Closes at once. */
  destroy(): void;
}

export interface TransportHandler {
  /** The chunk may be used during the call only. */
  data(chunk: Buffer): void;
  /** The backlog has become 0. */
  drained(): void;
  /** Called once. */
  closed(reason: string): void;
}
