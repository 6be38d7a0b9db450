import net from "node:net";

/** What a read brings at most: as much as one that allocates its memory, which is Node's other way. */
const READ = 64 * 1024;
/** Every socket is read into this: who is given a chunk is done with it when the call returns. */
const memory = Buffer.allocUnsafeSlow(READ);

/**
 * The same connection as a socket that is read into memory that is there, instead of 64 KiB that are
 * allocated for each read. Node has that for sockets that connect (`onread`). One that a server has
 * accepted, and not read from, can hand its `_handle` on to such a socket, which is not documented:
 * where there is none, the socket stays as it is.
 */
export function readIntoOurs(accepted: net.Socket, data: (chunk: Buffer) => void): net.Socket {
  const handle = "_handle" in accepted ? accepted._handle : undefined;
  if (typeof handle !== "object" || handle === null) {
    return accepted.on("data", data).resume();
  }
  Object.assign(accepted, { _handle: null });
  accepted.destroy(); // the server counts it no more
  const callback = (size: number): boolean => {
    data(memory.subarray(0, size));
    return true;
  };
  const options: object = {
    handle,
    manualStart: true,
    onread: { buffer: memory, callback },
    writableHighWaterMark: accepted.writableHighWaterMark,
  };
  return new net.Socket(options).resume();
}
