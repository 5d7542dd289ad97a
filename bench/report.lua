-- SPDX-License-Identifier: Apache-2.0
-- What wrk counted, as one JSON line that bench/measure.py reads.
function done(summary, latency, requests)
	local e = summary.errors
	io.write(string.format(
		'\nREPORT {"requests": %d, "microseconds": %d, "p50_us": %d, "p99_us": %d, "errors": %d}\n',
		summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
		e.connect + e.read + e.write + e.status + e.timeout))
end
