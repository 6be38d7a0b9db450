import { Link, type LinkOptions, PUBACK, PUBCOMP, PUBREC, PUBREL } from "./link.ts";

/** Takes and acknowledges at once what comes, at QoS 2 once for each identifier until its PUBREL. */
export class FloodSubscriber extends Link {
  /** In the account; members of a group have one name. */
  readonly receiver: string;
  /** Of QoS 2 messages whose PUBREL has not come; they outlive the connection. */
  readonly #taken = new Set<number>();

  constructor(options: LinkOptions, receiver: string) {
    super(options);
    this.receiver = receiver;
  }

  /** QoS 2 messages whose PUBREL is owed. */
  get unreleased(): number {
    return this.#taken.size;
  }

  protected override resume(): void {
    // the broker sends again what it has not seen acknowledged
  }

  protected override endTurn(): void {
    // every answer has been written when its message came
  }

  protected override publish(first: number, body: Buffer): void {
    const end = 2 + body.readUInt16BE(0);
    const qos = (first >> 1) & 3;
    const isRepeated = (first & 8) !== 0;
    const id = body.readUInt16BE(end);
    const payload = body.subarray(end + 3 + (body[end + 2] ?? 0));
    if (qos === 2) {
      this.writeAnswer(PUBREC, id);
      if (this.#taken.has(id)) {
        if (!isRepeated) this.wrong(`#${id} is in use`);
        return;
      }
      this.#taken.add(id);
    } else {
      this.writeAnswer(PUBACK, id);
    }
    this.account.receive(this.receiver, body.toString("latin1", 2, end), payload);
  }

  protected override answer(type: number, id: number): void {
    if (type !== PUBREL) return this.wrong(`${type} to a subscriber`);
    this.#taken.delete(id);
    this.writeAnswer(PUBCOMP, id);
  }
}
