-- Alerts, mutes, and what people did.

-- name: alert_causes
SELECT name, subject, owner, code, says, began_ms, quiet_ms, told_level, told_count, told_newest, escalated_ms, sent
FROM alert_cause ORDER BY name, subject LIMIT 2000

-- name: alert_cause_put
INSERT OR REPLACE INTO alert_cause
    (name, subject, owner, code, says, began_ms, quiet_ms, told_level, told_count, told_newest, escalated_ms, sent)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: alert_cause_drop
DELETE FROM alert_cause WHERE name = ? AND subject = ?

-- name: alert_message_add
INSERT INTO alert_message (at_ms, content) VALUES (?, ?) RETURNING id

-- name: alert_delivery_add
INSERT INTO alert_delivery (message, way, due_ms) VALUES (?, ?, ?)

-- name: alert_deliveries_due
SELECT d.message, m.content, d.attempts FROM alert_delivery AS d JOIN alert_message AS m ON m.id = d.message
WHERE d.way = ?1 AND d.state = 'waiting' AND d.due_ms <= ?2 ORDER BY d.due_ms, d.message LIMIT ?3

-- name: alert_deliveries_waiting
SELECT count(*), min(m.at_ms) FROM alert_delivery AS d JOIN alert_message AS m ON m.id = d.message
WHERE d.way = ? AND d.state = 'waiting'

-- name: alert_delivery_settle
UPDATE alert_delivery SET state = ?1, at_ms = ?2, says = ?3, attempts = attempts + 1
WHERE message = ?4 AND way = ?5 AND state = 'waiting'

-- name: alert_delivery_put_off
UPDATE alert_delivery SET due_ms = ?1, says = ?2, attempts = attempts + 1
WHERE message = ?3 AND way = ?4 AND state = 'waiting'

-- name: alert_deliveries_stale
UPDATE alert_delivery SET state = 'dropped', at_ms = ?2, says = ?3 || CASE says WHEN '' THEN '' ELSE ': ' || says END
WHERE state = 'waiting' AND way = ?1 AND message IN (
    SELECT d.message FROM alert_delivery AS d JOIN alert_message AS m ON m.id = d.message
    WHERE d.way = ?1 AND d.state = 'waiting' AND m.at_ms < ?4)

-- name: alert_deliveries_over
UPDATE alert_delivery SET state = 'dropped', at_ms = ?2, says = ?3
WHERE state = 'waiting' AND way = ?1 AND message IN (
    SELECT message FROM alert_delivery WHERE way = ?1 AND state = 'waiting' ORDER BY message DESC LIMIT -1 OFFSET ?4)

-- name: alert_due_mend
UPDATE alert_delivery SET due_ms = ?1 WHERE state = 'waiting' AND due_ms > ?2

-- name: alert_messages_purge
DELETE FROM alert_message WHERE at_ms < ?1
    OR id <= (SELECT id FROM alert_message ORDER BY id DESC LIMIT 1 OFFSET ?2)

-- name: alert_messages
SELECT id, content FROM alert_message ORDER BY id DESC LIMIT ?

-- name: alert_deliveries_of
SELECT message, way, state, attempts, at_ms, says FROM alert_delivery
WHERE message IN (SELECT value FROM json_each(?)) ORDER BY message, way

-- name: alert_case_figures
SELECT kind, sum(CASE WHEN substr(subject, 1, 8) = '(folded)' THEN count ELSE 1 END), max(id), count(*)
FROM exception_case WHERE state IN ('open', 'waiting') GROUP BY kind

-- name: alert_case_subjects
SELECT subject, count(*), max(id), min(first_ms) FROM exception_case
WHERE kind = ?1 AND state IN ('open', 'waiting') AND subject IN (SELECT value FROM json_each(?2)) GROUP BY subject

-- name: alert_case_examples
SELECT subject FROM exception_case
WHERE kind = ?1 AND state IN ('open', 'waiting') AND substr(subject, 1, 8) <> '(folded)'
    AND (subject IN (SELECT value FROM json_each(?3))) = ?4 ORDER BY id DESC LIMIT ?2

-- name: alert_case_scope
SELECT sum(CASE WHEN substr(subject, 1, 8) = '(folded)' THEN count ELSE 1 END), max(id), count(*), min(first_ms)
FROM exception_case
WHERE kind = ?1 AND state IN ('open', 'waiting') AND (subject IN (SELECT value FROM json_each(?2))) = ?3

-- name: alert_case_overdue
SELECT count(*) FROM exception_case
WHERE kind = ?1 AND state IN ('open', 'waiting') AND first_ms <= ?2 AND first_ms > ?3
    AND (subject IN (SELECT value FROM json_each(?4))) = ?5

-- name: mutes
SELECT code, subject, kind, level, count, at_ms, until_ms, reason, by_whom FROM mute
WHERE until_ms > ?1 ORDER BY until_ms, code, subject

-- name: mute_put
INSERT OR REPLACE INTO mute (code, subject, kind, level, count, at_ms, until_ms, reason, by_whom)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: mute_count
SELECT count(*) FROM mute WHERE until_ms > ?1

-- name: mute_drop
DELETE FROM mute WHERE code = ?1 AND subject = ?2

-- name: mute_seen
UPDATE mute SET level = ?1, count = ?2 WHERE code = ?3 AND subject = ?4 AND level = 0

-- name: mutes_purge
DELETE FROM mute WHERE until_ms <= ?1

-- name: action_begin
INSERT INTO action (at_ms, who, verb, arguments) VALUES (?, ?, ?, ?) RETURNING id

-- name: action_end
UPDATE action SET outcome = ?1, says = ?2 WHERE id = ?3

-- name: actions_purge
DELETE FROM action WHERE id <= (SELECT id FROM action ORDER BY id DESC LIMIT 1 OFFSET ?1) OR at_ms < ?2

-- name: actions
SELECT id, at_ms, who, verb, arguments, outcome, says FROM action ORDER BY id DESC LIMIT ?
