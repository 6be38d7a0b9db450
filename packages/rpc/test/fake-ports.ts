/** Ports that remember what they were asked, and answer as they are told. */
import { silentLogger } from "@canopy/base";
import type {
  AttendSink,
  Control,
  Incarnation,
  Version,
  VersionedChange,
  Watch,
  WatchSink,
  WholeView,
} from "@canopy/control";
import type {
  GatewayPeer,
  Opened,
  Progress,
  RouteSink,
  SessionQueries,
  Sessions,
} from "@canopy/session";
import { testScope } from "@canopy/testkit";
import {
  ControlService,
  controlHandlers,
  QueriesService,
  queriesHandlers,
  RoutesService,
  RpcServer,
  type RpcServerOptions,
  routesHandlers,
  SessionsService,
  sessionsHandlers,
} from "../src/index.ts";

export interface Asked {
  readonly method: string;
  readonly args: readonly unknown[];
}

/** A port whose every method remembers, and answers with what `answer` gives. */
function remembering<T extends object>(fake: {
  readonly asked: Asked[];
  answer: (asked: Asked) => unknown;
}): T {
  const method =
    (name: string) =>
    async (...args: unknown[]) => {
      const asked = { method: name, args };
      fake.asked.push(asked);
      return fake.answer(asked);
    };
  return new Proxy(fake, {
    get: (_target, name) => method(String(name)),
  }) as unknown as T;
}

export class Fake<T extends object> {
  readonly asked: Asked[] = [];
  answer: (asked: Asked) => unknown = () => undefined;
  readonly port: T = remembering<T>(this);

  /** What was asked of one method: its first arguments. */
  first(method: string): unknown[] {
    return this.asked.filter((asked) => asked.method === method).map(({ args }) => args[0]);
  }
}

/** Gateways that have attached. */
export class FakeSessions extends Fake<Sessions> {
  get peers(): GatewayPeer[] {
    return this.asked
      .filter(({ method }) => method === "attach")
      .map(({ args }) => args[1] as GatewayPeer);
  }
}

export const openedEmpty: Opened = {
  incarnation: 8,
  epoch: 1,
  sessionPresent: false,
  subscriptions: [],
  cursors: [],
  done: [],
  unfinished: [],
  receiptShards: [],
};

export function progressOf(incarnation: number, drained: readonly string[] = []): Progress {
  const key = { incarnation, epoch: 1 };
  return { ...key, cursors: [], done: [], drained, retainedAfter: [], retainedSent: [] };
}

/** A control log that is changed by hand; it is watched and attended. */
export class FakeControl extends Fake<Control> {
  readonly changes: VersionedChange[] = [];
  version: Version = 0;
  /** What watchers are told anew when they come. */
  readonly watched: Version[] = [];
  readonly watchers = new Set<WatchSink>();
  readonly attending = new Map<Incarnation, AttendSink>();
  /** Beside what answers are given for. */
  readonly control: Control;

  constructor() {
    super();
    const { watch, attend } = this.#streams();
    this.control = new Proxy(this.port, {
      get: (port, name) =>
        name === "watch" ? watch : name === "attend" ? attend : Reflect.get(port, name),
    });
  }

  #streams(): Pick<Control, "watch" | "attend"> {
    return {
      watch: (after, sink): Watch => {
        this.watched.push(after);
        this.watchers.add(sink);
        queueMicrotask(() => {
          if (this.watchers.has(sink) && after < this.version) this.#tell(sink, after);
        });
        return { close: () => this.watchers.delete(sink) };
      },
      attend: (incarnation, sink): Watch => {
        this.attending.set(incarnation, sink);
        return {
          close: () => {
            if (this.attending.get(incarnation) === sink) this.attending.delete(incarnation);
          },
        };
      },
    };
  }

  /** Everybody who watches is told of a node. */
  add(name: string, address: string): void {
    const before = this.version;
    this.version++;
    const common = { disk: 1, replica: this.version, standing: "member", drained: false } as const;
    const node = { name, address, ...common };
    this.changes.push({ version: this.version, change: { type: "node", node } });
    for (const sink of this.watchers) this.#tell(sink, before);
  }

  #tell(sink: WatchSink, after: Version): void {
    if (after === 0) sink.whole(this.whole());
    else
      sink.changes(
        this.changes.filter(({ version }) => version > after),
        this.version,
      );
  }

  whole(): WholeView {
    const nodes = this.changes.map(({ change }) =>
      change.type === "node" ? change.node : never(),
    );
    const { version } = this;
    return { version, shards: 4, groups: 2, members: [], down: [], places: [], nodes, bans: [] };
  }
}

function never(): never {
  throw new Error("only nodes are added");
}

export interface Ports {
  readonly sessions?: ReadonlyMap<number, Sessions>;
  readonly queries?: ReadonlyMap<number, SessionQueries>;
  readonly sink?: RouteSink;
  readonly control?: Control;
}

/** A server with all ports, over those that are given. */
export async function servePorts(
  ports: Ports,
  options: Partial<RpcServerOptions> = {},
): Promise<RpcServer> {
  const { sessions, queries, sink, control } = ports;
  const server = new RpcServer({ address: "127.0.0.1:0", logger: silentLogger, ...options });
  const group = (number: number): Sessions | undefined => sessions?.get(number);
  server.add(SessionsService, sessionsHandlers({ group, logger: silentLogger }));
  server.add(
    QueriesService,
    queriesHandlers((number) => queries?.get(number)),
  );
  server.add(RoutesService, routesHandlers(sink ?? new Fake<RouteSink>().port, silentLogger));
  server.add(ControlService, controlHandlers(control ?? new FakeControl().control));
  const scope = testScope();
  await server.start();
  scope.defer(() => server.stop());
  return server;
}
