-- A stretch of the stream, where it can't be read in a transaction. KEYS 11 trimmed. ARGV 1 after this id, 2 at most so many.
-- Answers { epoch, trimmed, { the newest entry }, entries }, as the transaction does.
return {
  redis.call('GET', EPOCH),
  redis.call('GET', KEYS[11]),
  redis.call('XREVRANGE', TRANSITIONS, '+', '-', 'COUNT', 1),
  redis.call('XRANGE', TRANSITIONS, '(' .. ARGV[1], '+', 'COUNT', ARGV[2]),
}
