-- Statements of one SKU's story that nothing else asks.

-- name: story_answered
-- When an answer of commercetools last changed what is booked of a key's entry. Sums of days have no time of their own.
SELECT h.channel, max(h.at_ms)
FROM json_each(?) AS w CROSS JOIN key_history AS h ON h.channel = w.value ->> 0 AND h.sku = w.value ->> 1
WHERE h.n > 0 AND h.kind NOT IN ('opening', 'day', 'learnt_late', 'unbased') GROUP BY h.channel
