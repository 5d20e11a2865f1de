-- wrk: a line of what came of it, for the scripts here.
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format('RESULT {"per_second": %.1f, "p50_ms": %.3f, "p99_ms": %.3f, "requests": %d, "not_200": %d, "socket_errors": %d}\n',
    summary.requests / summary.duration * 1e6, latency:percentile(50) / 1000, latency:percentile(99) / 1000, summary.requests,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
