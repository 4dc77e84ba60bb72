-- What the reports ask. Pages go on after (:since, :feed, :kind, :name), each in the order of an index.

-- name: report_made
SELECT kind, made_ms FROM report_made

-- name: report_make
INSERT INTO report_made (kind, made_ms) VALUES (?, ?) ON CONFLICT (kind) DO UPDATE SET made_ms = excluded.made_ms

-- name: report_cases
-- `limits`: each kind with how long its owner may leave one open. One pass over the cases, the limit of each looked up.
WITH allowed AS MATERIALIZED (SELECT w.value ->> 0 AS kind, w.value ->> 1 AS limit_ms FROM json_each(:limits) AS w)
SELECT c.kind,
    count(*) FILTER (WHERE c.closed_ms IS NULL),
    count(*) FILTER (WHERE c.closed_ms IS NULL AND c.first_ms >= :since),
    count(*) FILTER (WHERE c.closed_ms IS NULL AND c.first_ms < :now - allowed.limit_ms),
    count(*) FILTER (WHERE c.closed_ms IS NULL AND c.subject LIKE '(folded)%'),
    min(CASE WHEN c.closed_ms IS NULL THEN c.first_ms END),
    count(*) FILTER (WHERE c.first_ms >= :since),
    count(*) FILTER (WHERE c.first_ms >= :before AND c.first_ms < :since),
    count(*) FILTER (WHERE c.closed_ms >= :since AND c.state = 'resolved'),
    count(*) FILTER (WHERE c.closed_ms >= :since AND c.state = 'dismissed'),
    count(*) FILTER (WHERE c.closed_ms >= :before AND c.closed_ms < :since),
    coalesce(sum(CASE WHEN c.closed_ms >= :since THEN max(c.closed_ms - c.first_ms, 0) END), 0)
FROM exception_case AS c CROSS JOIN allowed ON allowed.kind = c.kind
GROUP BY c.kind ORDER BY c.kind

-- name: report_places
SELECT location, count(*), count(as_of_ms), max(as_of_ms) FROM level GROUP BY location

-- name: finance_held
SELECT since_ms, '', '', order_id, order_id, number, source_order, '', stage, reason FROM handover
WHERE stage = 'held' AND cancel = 0 AND (since_ms, order_id) > (:since, :name) ORDER BY since_ms, order_id LIMIT :limit

-- name: finance_short
SELECT c.first_ms, '', '', CAST(c.id AS TEXT), coalesce(a.order_id, ''), coalesce(h.number, a.reference), h.source_order,
    c.subject, coalesce(h.stage, ''), c.reason
FROM exception_case AS c
LEFT JOIN advice AS a ON a.name = c.subject AND a.kind = 'fulfilment'
    AND a.feed = (SELECT min(x.feed) FROM advice AS x WHERE x.name = c.subject AND x.kind = 'fulfilment')
LEFT JOIN handover AS h ON h.order_id = a.order_id
WHERE c.kind = 'short_pick' AND c.state IN ('open', 'waiting') AND (c.first_ms, c.id) > (:since, CAST(:name AS INTEGER))
ORDER BY c.first_ms, c.id LIMIT :limit

-- name: finance_advices
SELECT a.since_ms, a.feed, a.kind, a.name, coalesce(a.order_id, ''), coalesce(h.number, a.reference), h.source_order, a.name,
    a.stage, a.reason
FROM advice AS a LEFT JOIN handover AS h ON h.order_id = a.order_id
WHERE a.stage = :stage AND a.kind = :of_kind AND (:status = '' OR a.status = :status)
    AND (a.since_ms, a.feed, a.kind, a.name) > (:since, :feed, :kind, :name)
ORDER BY a.since_ms, a.feed, a.kind, a.name LIMIT :limit

-- name: finance_cancelled
SELECT since_ms, '', '', order_id, order_id, number, source_order, '', stage, reason
FROM handover INDEXED BY handover_cancelled_late
WHERE cancel = 1 AND sent > 0 AND (stage NOT IN ('cancelled', 'dismissed') OR since_ms >= :settled) AND (since_ms, order_id) > (:since, :name)
ORDER BY since_ms, order_id LIMIT :limit

-- name: report_backlog
-- One pass over the index alone.
SELECT due_class, min(since_ms), count(*), sum(since_ms < ?), sum(since_ms < ?), sum(since_ms < ?), sum(since_ms < ?),
    sum(since_ms < ?), sum(since_ms < ?)
FROM outbox WHERE due_class IS NOT NULL AND parked IS NULL GROUP BY due_class
