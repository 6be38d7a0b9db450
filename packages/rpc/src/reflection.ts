/** grpc.reflection.v1: tools such as grpcurl can call a server without the .proto files. */
import { type DescFile, type DescService, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { ReflectionService } from "@grpc/reflection";

/** What the reflection service reads of each: the files that describe it. */
type Package = ConstructorParameters<typeof ReflectionService>[0];

export function reflectionOf(services: readonly DescService[]): ReflectionService {
  const files = new Map<string, Buffer>();
  for (const service of services) collect(service.file, files);
  const fileDescriptorProtos = [...files.values()];
  const entry = { format: "Protocol Buffer 3 DescriptorProto", type: {}, fileDescriptorProtos };
  return new ReflectionService({ canopy: entry } as unknown as Package);
}

function collect(file: DescFile, into: Map<string, Buffer>): void {
  if (into.has(file.proto.name)) return;
  into.set(file.proto.name, Buffer.from(toBinary(FileDescriptorProtoSchema, file.proto)));
  for (const imported of file.dependencies) collect(imported, into);
}
