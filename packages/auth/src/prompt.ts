import type { Readable, Writable } from "node:stream";
import { StringDecoder } from "node:string_decoder";

/** process.stdin, or what a test takes for it. */
export type Input = Readable & {
  readonly isTTY?: boolean;
  setRawMode?(raw: boolean): unknown;
};

const interrupt = "\x03";
const endOfInput = "\x04";
const killLine = "\x15";
const erase = ["\b", "\x7f"];

/**
 * Asks the questions at a terminal, one line each, without showing what is typed.
 * undefined: interrupted (Ctrl-C, Ctrl-D).
 */
export async function askHidden(
  questions: readonly string[],
  input: Input,
  output: Writable,
): Promise<string[] | undefined> {
  const typed = characters(input);
  const answers: string[] = [];
  input.setRawMode?.(true);
  try {
    for (const question of questions) {
      output.write(question);
      const answer = await typedLine(typed);
      output.write("\n");
      if (answer === undefined) return undefined;
      answers.push(answer);
    }
    return answers;
  } finally {
    input.setRawMode?.(false);
    await typed.return();
    input.pause();
  }
}

/** The first line of a pipe, without its end; also one that the end of input ends. */
export async function readLine(input: Input): Promise<string> {
  let text = "";
  const read = characters(input);
  for await (const character of read) {
    if (character === "\n") break;
    text += character;
  }
  input.pause();
  return text.endsWith("\r") ? text.slice(0, -1) : text;
}

async function typedLine(typed: AsyncGenerator<string, void>): Promise<string | undefined> {
  const line: string[] = [];
  for (;;) {
    const { value: character, done } = await typed.next();
    if (done === true || character === interrupt || character === endOfInput) return undefined;
    if (character === "\r" || character === "\n") return line.join("");
    if (erase.includes(character)) line.pop();
    else if (character === killLine) line.length = 0;
    else line.push(character);
  }
}

async function* characters(input: Input): AsyncGenerator<string, void> {
  const decoder = new StringDecoder("utf8");
  // The stream is the caller's: it is not destroyed when the reading ends before it does.
  const chunks: AsyncIterable<Buffer | string> = input.iterator({ destroyOnReturn: false });
  for await (const chunk of chunks) {
    yield* typeof chunk === "string" ? chunk : decoder.write(chunk);
  }
}
