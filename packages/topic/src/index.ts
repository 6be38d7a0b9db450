export type { FilterEntry } from "./entry.ts";
export {
  type FilterError,
  isExact,
  type ParsedFilter,
  parseFilter,
  type RefusedFilter,
} from "./filter.ts";
export { matchesFilter } from "./match.ts";
export {
  countLevels,
  MAX_STRING_BYTES,
  type TopicNameError,
  topicNameError,
  validTopicBytes,
} from "./name.ts";
export { shardOf, shardsOfFilter } from "./shard.ts";
export { TopicTable, type TopicTableOptions } from "./table.ts";
export { Topic } from "./topic.ts";
export { FilterTrie } from "./trie.ts";
export { validUtf8 } from "./utf8.ts";
