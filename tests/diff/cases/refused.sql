-- Statements that need more than one shard: PostgreSQL answers them, this version says that it does
-- not. The issue that brings an answer removes the line above it.
-- expect-refused: customers
UPDATE customers SET balance = 0;
-- expect-refused: customers
UPDATE customers SET balance = 0 WHERE region = 1;
-- expect-refused: orders
DELETE FROM orders WHERE status = 'new';
