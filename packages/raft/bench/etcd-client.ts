/** A process that puts 256 bytes again and again into etcd, by gRPC over HTTP/2. */
import { type ClientHttp2Session, connect } from "node:http2";
import { ByteWriter } from "@canopy/base";
import { serveCalls } from "./calls.ts";
import { latencyOf } from "./ground.ts";

export interface PutLoad {
  readonly inflight: number;
  readonly ms: number;
  readonly bytes: number;
}

export interface PutResult {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  /** The share of a core that a client took: near 1, it is what was measured. */
  readonly core: number;
}

const WARM_UP = 1_500;
const PER_CONNECTION = 32;
const HEADERS = {
  ":method": "POST",
  ":path": "/etcdserverpb.KV/Put",
  "content-type": "application/grpc",
  te: "trailers",
};

/** A gRPC frame with a PutRequest: field 1 the key, field 2 the value. */
function putRequest(bytes: number): Buffer {
  const request = new ByteWriter();
  request.u8(0x0a);
  request.bytes(Buffer.from("bench"));
  request.u8(0x12);
  request.bytes(Buffer.alloc(bytes, "v"));
  const frame = new ByteWriter();
  frame.u8(0);
  frame.u32(request.length);
  frame.raw(request.view());
  return frame.take();
}

function put(session: ClientHttp2Session, frame: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const stream = session.request(HEADERS);
    let status: unknown;
    stream.on("trailers", (trailers) => {
      status = trailers["grpc-status"];
    });
    stream.on("error", reject);
    stream.on("close", () => {
      if (status === "0") resolve();
      else reject(new Error(`grpc-status ${String(status)}`));
    });
    stream.resume();
    stream.end(frame);
  });
}

async function puts({ port, load }: { port: number; load: PutLoad }): Promise<PutResult> {
  const { inflight, ms, bytes } = load;
  const frame = putRequest(bytes);
  const sessions = Array.from({ length: Math.ceil(inflight / PER_CONNECTION) }, () =>
    connect(`http://127.0.0.1:${port}`),
  );
  const begin = performance.now() + WARM_UP;
  const end = begin + ms;
  const times: number[] = [];
  let used: NodeJS.CpuUsage | undefined;
  const client = async (session: ClientHttp2Session): Promise<void> => {
    for (let now = performance.now(); now < end; ) {
      const sent = now;
      await put(session, frame);
      now = performance.now();
      if (now < begin || now >= end) continue;
      used ??= process.cpuUsage();
      times.push(now - sent);
    }
  };
  const clients = Array.from({ length: inflight }, (_, i) =>
    client(sessions[i % sessions.length] as ClientHttp2Session),
  );
  await Promise.all(clients);
  const { user, system } = process.cpuUsage(used);
  for (const session of sessions) session.destroy();
  const perSecond = (times.length * 1000) / ms;
  return { perSecond, ...latencyOf(times), core: (user + system) / 1000 / ms };
}

serveCalls({ puts });
process.once("disconnect", () => process.exit());
