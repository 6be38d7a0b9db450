import type { LoadResult, Mark } from "./load.ts";

/** Which publishers and subscribers there are, and what they send. */
export interface LoadSpec {
  readonly host: string;
  readonly port: number;
  readonly version: 4 | 5;
  /** Of client identifiers and topics. */
  readonly prefix: string;
  readonly run: number;
  readonly publishers: number;
  readonly subscribers: number;
  /** Publisher i sends to topic i mod topics, subscriber j subscribes to topic j mod topics. */
  readonly topics: number;
  /** Name of a shared group. */
  readonly share: string | undefined;
  /** Subscribers have sessions that stay. */
  readonly durable: boolean;
  readonly qos: 0 | 1 | 2;
  readonly size: number;
  readonly window: number;
  /** Per publisher and second; 0 for a closed loop. */
  readonly rate: number;
  /** Messages per publisher; undefined: until told to stop. */
  readonly limit: number | undefined;
  /** See Turn. */
  readonly coalesce: number;
  /** This process has the topics that are `index` modulo `processes`. */
  readonly index: number;
  readonly processes: number;
}

export interface ConnectSpec {
  readonly host: string;
  readonly port: number;
  readonly version: 4 | 5;
  readonly prefix: string;
  readonly from: number;
  readonly count: number;
  /** How many CONNECTs may be unanswered. */
  readonly concurrency: number;
}

/** `{i}` in texts is the number of the message or client, `{i/N}` and `{i%N}` are made of it. */
export interface FillSpec extends ConnectSpec {
  /** Filters of each client; `{i}` counts over all clients. */
  readonly filter: string;
  readonly filtersPerClient: number;
  readonly qos: 0 | 1 | 2;
  readonly durable: boolean;
  /** Disconnect each client when it has subscribed. */
  readonly leave: boolean;
}

export interface PublishSpec extends ConnectSpec {
  /** `count` is the number of messages; this many clients send them. */
  readonly clients: number;
  readonly topic: string;
  readonly qos: 0 | 1;
  readonly size: number;
  readonly retain: boolean;
  readonly window: number;
}

export interface CollectSpec extends ConnectSpec {
  readonly filter: string;
  readonly qos: 0 | 1;
  /** Messages to wait for. */
  readonly messages: number;
}

export interface Took {
  readonly seconds: number;
}

/** What the controller can ask of a generator process, and what it answers. */
export interface Commands {
  /** Connects and subscribes what the load needs. */
  prepare: { readonly ask: LoadSpec; readonly answer: null };
  start: { readonly ask: null; readonly answer: null };
  beginWindow: { readonly ask: null; readonly answer: Mark };
  endWindow: { readonly ask: null; readonly answer: Mark };
  mark: { readonly ask: null; readonly answer: Mark };
  stop: { readonly ask: null; readonly answer: null };
  /** Resolves when everything has been sent and answered, or nothing has moved for 10 s. */
  answered: { readonly ask: null; readonly answer: Mark };
  closeSubscribers: { readonly ask: null; readonly answer: null };
  /** Connects the subscribers again, which have their subscriptions already. */
  reopenSubscribers: { readonly ask: null; readonly answer: null };
  drain: {
    readonly ask: { readonly idle: number; readonly most: number };
    readonly answer: LoadResult;
  };
  /** Ends the load and its connections. */
  end: { readonly ask: null; readonly answer: null };
  /** Opens connections beside the load, and keeps them. */
  connect: { readonly ask: ConnectSpec; readonly answer: Took };
  /** Opens connections (or sessions) with subscriptions that no message matches. */
  fill: { readonly ask: FillSpec; readonly answer: Took };
  /** Seconds of CPU that this process has used. */
  cpu: { readonly ask: null; readonly answer: number };
  /** Closes what `connect` and `fill` opened. */
  closeAll: { readonly ask: null; readonly answer: null };
  /** Publishes so many messages and resolves when they are answered. */
  publish: { readonly ask: PublishSpec; readonly answer: Took };
  /** Subscribes and waits for so many (retained) messages. */
  collect: { readonly ask: CollectSpec; readonly answer: Took };
}

export interface Question {
  readonly id: number;
  readonly command: keyof Commands;
  readonly ask: unknown;
}

export type Answer =
  | { readonly id: number; readonly answer: unknown }
  | { readonly id: number; readonly error: string };

export type Handlers = {
  readonly [Name in keyof Commands]: (
    ask: Commands[Name]["ask"],
  ) => Promise<Commands[Name]["answer"]>;
};
