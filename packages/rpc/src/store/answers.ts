/** What a store process says of batches and requests, in the order in which it says it. */
import { ByteReader, ByteWriter, DecodeError } from "@canopy/base";
import { type NotTaken, type Offset, StoreError, type StoreErrorCode } from "@canopy/store";
import { isStoreErrorCode } from "../status.ts";

const WORD = {
  answers: 1,
  answersAndReleased: 2,
  released: 3,
  notTaken: 4,
  heads: 5,
  done: 6,
  failed: 7,
} as const;

const REASONS: readonly NotTaken[] = ["not-owner", "after-error", "gap"];

/** Gathers what is said in one turn. Answers of the same kind to messages in a row are one word. */
export class Answers {
  readonly #writer = new ByteWriter();
  /** Of the answers that are not written yet; 0 of them: there are none. */
  #count = 0;
  #batch = 0;
  #first = 0;
  #code = 0;
  #epoch = 0;

  answered(batch: number, index: number, code: number, epoch: number): void {
    if (
      this.#count > 0 &&
      this.#first + this.#count === index &&
      this.#batch === batch &&
      this.#code === code &&
      this.#epoch === epoch
    ) {
      this.#count++;
      return;
    }
    this.#endRun(WORD.answers);
    this.#count = 1;
    this.#batch = batch;
    this.#first = index;
    this.#code = code;
    this.#epoch = epoch;
  }

  released(batch: number): void {
    if (this.#count > 0 && this.#batch === batch) {
      this.#endRun(WORD.answersAndReleased);
      return;
    }
    this.#endRun(WORD.answers);
    this.#writer.u8(WORD.released);
    this.#writer.varint(batch);
  }

  notTaken(batch: number, reason: NotTaken): void {
    this.#endRun(WORD.answers);
    this.#writer.u8(WORD.notTaken);
    this.#writer.varint(batch);
    this.#writer.u8(REASONS.indexOf(reason) + 1);
  }

  heads(request: number, offsets: readonly Offset[]): void {
    this.#endRun(WORD.answers);
    this.#writer.u8(WORD.heads);
    this.#writer.varint(request);
    this.#writer.varint(offsets.length);
    for (const offset of offsets) this.#writer.varint(offset);
  }

  done(request: number): void {
    this.#endRun(WORD.answers);
    this.#writer.u8(WORD.done);
    this.#writer.varint(request);
  }

  failed(request: number, { code, message }: StoreError): void {
    this.#endRun(WORD.answers);
    this.#writer.u8(WORD.failed);
    this.#writer.varint(request);
    this.#writer.string(code);
    this.#writer.string(message);
  }

  /** What was gathered, as one message; undefined: nothing. */
  take(): Buffer | undefined {
    this.#endRun(WORD.answers);
    return this.#writer.length === 0 ? undefined : this.#writer.take();
  }

  #endRun(word: number): void {
    if (this.#count === 0) return;
    const writer = this.#writer;
    writer.u8(word);
    writer.varint(this.#batch);
    writer.varint(this.#epoch);
    writer.varint(this.#first);
    writer.varint(this.#count);
    writer.u8(this.#code);
    this.#count = 0;
  }
}

export interface AnswersSink {
  /** Messages `first` … `first + count - 1` of the batch. */
  answered(batch: number, first: number, count: number, code: number, epoch: number): void;
  released(batch: number): void;
  notTaken(batch: number, reason: NotTaken): void;
  /** Undefined: it was done, and there is no more to say. */
  done(request: number, heads: readonly Offset[] | undefined): void;
  failed(request: number, error: StoreError): void;
}

/** @throws DecodeError. */
export function readAnswers(message: Buffer, sink: AnswersSink): void {
  const reader = new ByteReader(message);
  while (reader.remaining > 0) readAnswer(reader, sink);
}

function readAnswer(reader: ByteReader, sink: AnswersSink): void {
  const word = reader.u8();
  switch (word) {
    case WORD.answers:
    case WORD.answersAndReleased: {
      const batch = reader.varint();
      const epoch = reader.varint();
      const first = reader.varint();
      const count = reader.varint();
      sink.answered(batch, first, count, reader.u8(), epoch);
      if (word === WORD.answersAndReleased) sink.released(batch);
      break;
    }
    case WORD.released:
      sink.released(reader.varint());
      break;
    case WORD.notTaken: {
      const batch = reader.varint();
      sink.notTaken(batch, readReason(reader));
      break;
    }
    case WORD.heads: {
      const request = reader.varint();
      const heads: Offset[] = [];
      for (let left = reader.varint(); left > 0; left--) heads.push(reader.varint());
      sink.done(request, heads);
      break;
    }
    case WORD.done:
      sink.done(reader.varint(), undefined);
      break;
    case WORD.failed: {
      const request = reader.varint();
      const code = readCode(reader);
      sink.failed(request, new StoreError(code, reader.string()));
      break;
    }
    default:
      throw new DecodeError(`no such word: ${word}`);
  }
}

function readReason(reader: ByteReader): NotTaken {
  const value = reader.u8();
  const reason = REASONS[value - 1];
  if (reason === undefined) throw new DecodeError(`no such reason: ${value}`);
  return reason;
}

/** One of a later version says at least that it failed. */
function readCode(reader: ByteReader): StoreErrorCode {
  const code = reader.string();
  return isStoreErrorCode(code) ? code : "unavailable";
}
