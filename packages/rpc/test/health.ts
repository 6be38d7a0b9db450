/** grpc.health.v1, asked by a client that shares no code with ours. */
import { testScope } from "@canopy/testkit";
import { Client, credentials } from "@grpc/grpc-js";
import { service as health } from "grpc-health-check";

/** Connected without encryption. */
export function plain(address: string): Client {
  const client = new Client(address, credentials.createInsecure());
  testScope().defer(() => client.close());
  return client;
}

/** What is said of the service now, such as `SERVING`. */
export function healthOf(client: Client, service: string): Promise<string> {
  const { path, requestSerialize, responseDeserialize } = health["Check"] as never as {
    path: string;
    requestSerialize: (value: object) => Buffer;
    responseDeserialize: (bytes: Buffer) => { status: string };
  };
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  client.makeUnaryRequest(
    path,
    requestSerialize,
    responseDeserialize,
    { service },
    (error, value) => (error ? reject(error) : resolve(value?.status ?? "")),
  );
  return promise;
}
