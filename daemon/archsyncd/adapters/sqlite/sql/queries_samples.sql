-- The figures behind the charts.

-- name: sample_put
INSERT OR REPLACE INTO sample (at_ms, verdict, near_zero, decreases, from_zero, increases, oldest_decrease_ms, requests,
    limit_rate, cases, behind_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: sample_trim
DELETE FROM sample WHERE at_ms < :from_ms OR at_ms > :to_ms;

-- name: samples
SELECT at_ms - at_ms % :step_ms, max(verdict), max(near_zero), max(decreases), max(from_zero), max(increases),
    max(oldest_decrease_ms), avg(requests), min(limit_rate), max(cases), max(behind_ms)
FROM sample WHERE at_ms BETWEEN :from_ms AND :to_ms GROUP BY 1 ORDER BY 1 LIMIT :limit;
