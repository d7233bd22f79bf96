// A column of the router's table in SQL, and the values that a new column gives to existing rows.
#pragma once

#include "ddl/table_shipment.hpp"

namespace shardwise
{

// What a shard's column is to be like. Texts are qualified and quoted.
struct ColumnDefinition {
    AttrNumber number;
    char *name;
    char *type; // with COLLATE
    const char *compression;
    char *generated; // STORED, VIRTUAL or nullptr
    bool is_not_null;
    char *default_sql; // or what it is generated from; nullptr: none
    List *sequences;   // Oids: that its default or identity reads; the shards have none of them
};

// Reads a column of a table of the router, which has it.
ColumnDefinition read_column(Oid relid, const char *name);

// A new column of tables that have rows on the shards. PostgreSQL evaluates a default once for the
// statement, unless it is volatile: then once a row.
struct NewColumn {
    ColumnDefinition column;
    char *once;      // the value as a literal, where the router has evaluated it
    Node *computed;  // or the expression, where the router evaluates it for each row
    char *base_type; // the column's type while it is filled
};

// Evaluates what is to be evaluated once, under the session's own settings: call it before
// begin_management().
NewColumn prepare_new_column(Oid relid, const char *name, bool is_reference);

// ADD COLUMN's clause, without these words.
char *new_column_sql(const NewColumn *column);

// A computed column is added empty, filled (ddl/column_values.hpp), and then gets its properties by
// clauses of ALTER TABLE.
char *empty_column_sql(const NewColumn *column);
char *filled_column_sql(const NewColumn *column);

// Makes the sequences that a new column reads, each starting on each shard where the one before
// ends, so that rows are numbered uniquely; moves the router's sequence behind them.
void open_sequences(const List *targets, Oid relid, const NewColumn *column);
void close_sequences(const List *targets, const NewColumn *column);

// ALTER COLUMN's clauses (SET DEFAULT, DROP DEFAULT) that give the column its lasting default;
// nullptr where it has it already.
char *lasting_default_sql(const NewColumn *column);

} // namespace shardwise
