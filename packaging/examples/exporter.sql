-- What exporter.py adds to the database of a toy ERP. The ERP's own are these two; `reservation` has the shop's orders that
-- are accepted and not yet shipped.
CREATE TABLE IF NOT EXISTS stock (sku TEXT, location TEXT, on_hand INTEGER NOT NULL, PRIMARY KEY (sku, location));
CREATE TABLE IF NOT EXISTS reservation (order_number TEXT, sku TEXT, location TEXT, quantity INTEGER NOT NULL);

-- A figure and the orders that it excludes, from the same rows: they cannot disagree.
CREATE VIEW IF NOT EXISTS level AS
SELECT sku, location, on_hand, json_object(
  'type', 'stock.level', 'sku', sku, 'location', location, 'asOf', strftime('%Y-%m-%dT%H:%M:%fZ'), 'onHand', on_hand,
  'available', on_hand - (SELECT coalesce(sum(quantity), 0) FROM reservation r WHERE r.sku = s.sku AND r.location = s.location),
  'ordersIncluded', (SELECT json_group_array(order_number) FROM reservation r WHERE r.sku = s.sku AND r.location = s.location)
) AS body FROM stock s;

-- What a change leaves behind, written in its own transaction: it is told as often as it is asked for, and always the same.
-- AUTOINCREMENT never gives a number twice, and SQLite has one writer: no number appears behind a larger one.
CREATE TABLE IF NOT EXISTS log (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL DEFAULT (lower(hex(randomblob(16)))),
  at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ')),
  body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS log_id ON log (id);
CREATE INDEX IF NOT EXISTS log_at ON log (at);

CREATE TRIGGER IF NOT EXISTS stock_comes AFTER INSERT ON stock BEGIN
  INSERT INTO log (body) SELECT body FROM level WHERE sku = new.sku AND location = new.location; END;
CREATE TRIGGER IF NOT EXISTS stock_changes AFTER UPDATE ON stock BEGIN
  INSERT INTO log (body) SELECT json_object('type', 'stock.removed', 'sku', old.sku, 'location', old.location)
    WHERE old.sku <> new.sku OR old.location <> new.location;
  INSERT INTO log (body) SELECT body FROM level WHERE sku = new.sku AND location = new.location; END;
CREATE TRIGGER IF NOT EXISTS stock_goes AFTER DELETE ON stock BEGIN
  INSERT INTO log (body) VALUES (json_object('type', 'stock.removed', 'sku', old.sku, 'location', old.location)); END;
CREATE TRIGGER IF NOT EXISTS order_comes AFTER INSERT ON reservation BEGIN
  INSERT INTO log (body) SELECT body FROM level WHERE sku = new.sku AND location = new.location; END;
CREATE TRIGGER IF NOT EXISTS order_changes AFTER UPDATE ON reservation BEGIN
  INSERT INTO log (body) SELECT body FROM level WHERE sku IN (old.sku, new.sku) AND location IN (old.location, new.location); END;
CREATE TRIGGER IF NOT EXISTS order_goes AFTER DELETE ON reservation BEGIN
  INSERT INTO log (body) SELECT body FROM level WHERE sku = old.sku AND location = old.location; END;

-- Each time that something is asked for: quiet is not dead, and eight days are kept.
INSERT INTO log (body) SELECT json_object('type', 'feed.heartbeat', 'at', strftime('%Y-%m-%dT%H:%M:%fZ'))
  WHERE NOT EXISTS (SELECT 1 FROM log WHERE at > strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-10 seconds'));
DELETE FROM log WHERE at < strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-8 days');
