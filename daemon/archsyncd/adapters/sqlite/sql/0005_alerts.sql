-- What people are told, what they have muted, and what they did. Times are UTC milliseconds.

-- What was told of each cause that is there, or was within the last hour. `sent`: a JSON array of times.
CREATE TABLE alert_cause (
    name TEXT NOT NULL,
    subject TEXT NOT NULL,
    owner TEXT NOT NULL,
    code TEXT NOT NULL,
    says TEXT NOT NULL,
    began_ms INTEGER NOT NULL,
    quiet_ms INTEGER,
    told_level INTEGER NOT NULL DEFAULT 0,
    told_count INTEGER NOT NULL DEFAULT 0,
    told_newest INTEGER NOT NULL DEFAULT 0,
    escalated_ms INTEGER NOT NULL DEFAULT 0,
    sent TEXT NOT NULL DEFAULT '[]',
    PRIMARY KEY (name, subject)
) STRICT, WITHOUT ROWID;

-- `content`: the message as a JSON object. Its number is never given twice: receivers know it again by it.
CREATE TABLE alert_message (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    content TEXT NOT NULL CHECK (length(content) <= 16384)
) STRICT;

CREATE TABLE alert_delivery (
    message INTEGER NOT NULL REFERENCES alert_message (id) ON DELETE CASCADE,
    way TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'dropped')),
    attempts INTEGER NOT NULL DEFAULT 0,
    due_ms INTEGER NOT NULL,
    at_ms INTEGER,
    says TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (message, way)
) STRICT, WITHOUT ROWID;

CREATE INDEX alert_waiting ON alert_delivery (way, due_ms) WHERE state = 'waiting';

-- `level` 0: what is muted was not there yet.
CREATE TABLE mute (
    code TEXT NOT NULL,
    subject TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('mute', 'ack')),
    level INTEGER NOT NULL,
    count INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    until_ms INTEGER NOT NULL,
    reason TEXT NOT NULL,
    by_whom TEXT NOT NULL,
    PRIMARY KEY (code, subject)
) STRICT, WITHOUT ROWID;

-- `who`: as the client says. `outcome` '': it was begun, and nobody knows how it ended.
CREATE TABLE action (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    who TEXT NOT NULL,
    verb TEXT NOT NULL,
    arguments TEXT NOT NULL,
    outcome TEXT NOT NULL DEFAULT '' CHECK (outcome IN ('', 'done', 'nothing', 'refused', 'failed')),
    says TEXT NOT NULL DEFAULT ''
) STRICT;
