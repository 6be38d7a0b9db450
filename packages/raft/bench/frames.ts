/** Length-prefixed frames over a socket: u32 bytes, then as many. */
import type { Socket } from "node:net";

const HEADER = 4;
const LONGEST: number = 1 << 28;

export function writeFrame(socket: Socket, ...parts: readonly Uint8Array[]): void {
  const header = Buffer.allocUnsafe(HEADER);
  header.writeUInt32BE(parts.reduce((sum, part) => sum + part.length, 0));
  socket.cork();
  socket.write(header);
  for (const part of parts) socket.write(part);
  socket.uncork();
}

/** Calls onFrame for each whole frame; the frame's bytes are not used again for anything else. */
export function readFrames(socket: Socket, onFrame: (frame: Buffer) => void): void {
  let chunks: Buffer[] = [];
  let size = 0;
  socket.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    size += chunk.length;
    // Joined only when the first frame is whole, so that a long one is not copied for each chunk.
    while (size >= HEADER) {
      const length = lengthOf(chunks);
      if (length > LONGEST) {
        socket.destroy(new Error(`a frame of ${length} bytes`));
        return;
      }
      if (size < HEADER + length) return;
      const whole = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, size);
      size -= HEADER + length;
      chunks = size > 0 ? [whole.subarray(HEADER + length)] : [];
      onFrame(whole.subarray(HEADER, HEADER + length));
    }
  });
}

function lengthOf(chunks: Buffer[]): number {
  if ((chunks[0] as Buffer).length < HEADER) chunks.splice(0, chunks.length, Buffer.concat(chunks));
  return (chunks[0] as Buffer).readUInt32BE(0);
}
