/** A service for tests: one call, and one stream. It is in no .proto file, so it is described here. */
import { create, createFileRegistry, type DescFile, type Message } from "@bufbuild/protobuf";
import type { GenMessage, GenService } from "@bufbuild/protobuf/codegenv2";
import {
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FileDescriptorProtoSchema,
} from "@bufbuild/protobuf/wkt";
import { FrameSchema, file_canopy_stream_v1_frame } from "../src/gen/canopy/stream/v1/frame_pb.ts";

type Text = Message<"canopy.test.Text"> & { text: string };
type TextSchema = GenMessage<Text>;

const FRAME = `.${FrameSchema.typeName}`;
const TEXT = ".canopy.test.Text";

const file = create(FileDescriptorProtoSchema, {
  name: "canopy/test.proto",
  package: "canopy.test",
  syntax: "proto3",
  dependency: [file_canopy_stream_v1_frame.proto.name],
  messageType: [
    {
      name: "Text",
      field: [
        {
          name: "text",
          jsonName: "text",
          number: 1,
          type: FieldDescriptorProto_Type.STRING,
          label: FieldDescriptorProto_Label.OPTIONAL,
        },
      ],
    },
  ],
  service: [
    {
      name: "Echo",
      method: [
        { name: "Say", inputType: TEXT, outputType: TEXT },
        {
          name: "Talk",
          inputType: FRAME,
          outputType: FRAME,
          clientStreaming: true,
          serverStreaming: true,
        },
      ],
    },
  ],
});

const known = (name: string): DescFile["proto"] | undefined =>
  name === file_canopy_stream_v1_frame.proto.name ? file_canopy_stream_v1_frame.proto : undefined;

export const Echo = createFileRegistry(file, known).getService("canopy.test.Echo") as GenService<{
  say: { methodKind: "unary"; input: TextSchema; output: TextSchema };
  talk: {
    methodKind: "bidi_streaming";
    input: typeof FrameSchema;
    output: typeof FrameSchema;
  };
}>;
