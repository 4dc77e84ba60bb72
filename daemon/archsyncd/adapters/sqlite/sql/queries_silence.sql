-- What waits for an answer of the other side: woken when one came, and since when it waits.

-- name: handover_wake
UPDATE handover SET due_ms = :now WHERE order_id IN (SELECT order_id FROM handover
    WHERE stage IN (SELECT value FROM json_each(:stages)) AND attempts > 0 AND due_ms > :now
    ORDER BY attempts, created_ms LIMIT :limit)

-- name: advice_wake
UPDATE advice SET due_ms = :now WHERE (feed, kind, name) IN (SELECT feed, kind, name FROM advice
    WHERE stage = :stage AND (:feed = '' OR feed = :feed) AND attempts > 0 AND due_ms > :now
    ORDER BY attempts, since_ms LIMIT :limit)

-- name: handover_untaken_now
-- An order is told as sent when its tries begin, not at each of them.
SELECT count(*) FILTER (WHERE stage <> 'in_doubt'), count(*) FILTER (WHERE stage = 'in_doubt'),
    min(iif(attempts > 0, coalesce((SELECT max(e.at_ms) FROM order_event AS e
        WHERE e.order_id = o.order_id AND e.stage IN ('sending', 'ready')), since_ms), since_ms))
FROM handover AS o WHERE stage IN ('ready', 'sending', 'in_doubt')

-- name: handover_untaken_since
SELECT created_ms FROM handover WHERE stage IN ('ready', 'sending', 'in_doubt', 'received') ORDER BY created_ms LIMIT ?

-- name: advice_unbooked_since
SELECT told_ms FROM advice WHERE kind = 'fulfilment' AND stage = 'due' ORDER BY told_ms LIMIT ?
