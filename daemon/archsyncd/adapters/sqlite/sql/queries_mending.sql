-- Times that an earlier, wrong clock has put into the future, where one silences something, keeps it or holds it back.
-- :now, :soon (no request of before can land any more), :beyond (no due time is set further ahead than this).

-- name: mend_ledger
UPDATE ledger SET created_ms = :now WHERE created_ms > :now

-- name: mend_feeds
UPDATE feed SET sign_ms = min(sign_ms, :now), record_ms = min(record_ms, :now) WHERE sign_ms > :now OR record_ms > :now

-- name: mend_snapshots
UPDATE snapshot SET at_ms = :now WHERE at_ms > :now

-- name: mend_cases
UPDATE exception_case SET first_ms = min(first_ms, :now), last_ms = min(last_ms, :now), closed_ms = min(closed_ms, :now)
WHERE first_ms > :now OR last_ms > :now OR closed_ms > :now

-- name: mend_handovers
UPDATE handover SET since_ms = :now WHERE since_ms > :now
    AND stage IN ('learned', 'waiting', 'ready', 'sending', 'in_doubt', 'received', 'accepted', 'cancelling', 'cancelled',
    'part_shipped', 'shipped', 'closed', 'closed_short', 'held', 'dismissed')

-- name: mend_handovers_due
UPDATE handover SET due_ms = :soon WHERE due_ms > :beyond
    AND (stage NOT IN ('accepted', 'part_shipped', 'shipped', 'closed', 'closed_short')
    OR (cancel = 1 AND stage IN ('accepted', 'part_shipped', 'shipped')))

-- name: mend_handovers_to_note
UPDATE handover INDEXED BY handover_to_note SET due_ms = :soon WHERE due_ms > :beyond AND noted = 0
    AND stage IN ('accepted', 'part_shipped', 'shipped', 'closed')

-- name: mend_claims
UPDATE handover SET claimed_ms = :now WHERE claimed_ms > :now

-- name: mend_steps
-- Only of what may be late: the steps of orders that are through are read by nobody but people.
UPDATE order_event SET at_ms = :now WHERE at_ms > :now AND order_id IN (SELECT order_id FROM handover
    WHERE stage IN ('learned', 'ready', 'sending', 'in_doubt', 'received', 'cancelling'))

-- name: mend_advices
UPDATE advice SET since_ms = :now, told_ms = min(told_ms, :now) WHERE since_ms > :now
    AND stage IN ('open', 'parked', 'due', 'booked', 'done', 'held', 'void')

-- name: mend_advices_due
UPDATE advice SET due_ms = :soon WHERE due_ms > :beyond

-- name: mend_walks
UPDATE reconcile_run SET began_ms = min(began_ms, :now), ended_ms = min(ended_ms, :now) WHERE began_ms > :now OR ended_ms > :now

-- name: mend_raises
UPDATE reconcile_raise SET at_ms = :now WHERE at_ms > :now

-- name: mend_held
UPDATE reconcile_held SET at_ms = :now WHERE at_ms > :now

-- name: mend_locations
UPDATE location_told SET told_ms = :now WHERE told_ms > :now

-- name: mend_causes
-- What was told as overdue by such a clock is told once more rather than never.
UPDATE alert_cause SET began_ms = min(began_ms, :now), quiet_ms = min(quiet_ms, :now),
    escalated_ms = CASE WHEN escalated_ms > :now THEN 0 ELSE escalated_ms END
WHERE began_ms > :now OR quiet_ms > :now OR escalated_ms > :now

-- name: mend_messages
UPDATE alert_message SET at_ms = :now WHERE at_ms > :now

-- name: mend_mutes
-- They end after as long a time as somebody meant.
UPDATE mute SET until_ms = :now + until_ms - at_ms, at_ms = :now WHERE at_ms > :now

-- name: mend_reports
UPDATE report_made SET made_ms = :now WHERE made_ms > :now
