import { u8, u16 } from "./bytes.ts";
import { ACK, walkProperties } from "./properties.ts";
import { malformed, protocolError } from "./reason.ts";
import type { AckView } from "./views.ts";

const PUBLISHED: ReadonlySet<number> = new Set([
  0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99,
]);
const RELEASED: ReadonlySet<number> = new Set([0x00, 0x92]);

/** Reads PUBACK, PUBREC, PUBREL and PUBCOMP in place (3.4 – 3.7). */
export class AckScan implements AckView {
  type: 4 | 5 | 6 | 7 = 4;
  packetId = 0;
  reasonCode = 0;

  /** Takes a packet of this type that goes on from `at` (behind the remaining length) to `end`. */
  read(buffer: Buffer, type: 4 | 5 | 6 | 7, at: number, end: number, v5: boolean): void {
    if (end - at < 2) throw malformed("acknowledgement: no packet identifier");
    this.type = type;
    this.packetId = u16(buffer, at);
    this.reasonCode = 0;
    if (this.packetId === 0) throw protocolError("acknowledgement: packet identifier 0");
    if (end - at > 2) this.#readRest(buffer, at + 2, end, v5);
  }

  /** Reason code and properties; both may be left out (3.4.2.1, 3.4.2.2.1). */
  #readRest(buffer: Buffer, at: number, end: number, v5: boolean): void {
    if (!v5) throw malformed("acknowledgement: longer than its packet identifier");
    this.reasonCode = u8(buffer, at);
    const known = this.type < 6 ? PUBLISHED : RELEASED;
    if (!known.has(this.reasonCode)) {
      throw protocolError(`acknowledgement: reason code 0x${this.reasonCode.toString(16)}`);
    }
    if (at + 1 === end) return;
    if (walkProperties(buffer, at + 1, end, ACK) !== end) {
      throw malformed("acknowledgement: bytes behind the properties");
    }
  }
}
