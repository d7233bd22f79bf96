// ALTER TABLE and ALTER INDEX in the form that a shard gets.
#pragma once

#include "ddl/columns.hpp"

namespace shardwise
{

// A command on its way, with what has to be known from before the router's part.
struct AlterCommand {
    const AlterTableStmt *statement;
    Oid object; // the table, or one of its indexes
    Oid table;
    bool is_reference;
    char *name;         // of the object
    List *constraints;  // Oids of the table's own, before
    List *names;        // their names
    List *indexes;      // Oids, before
    List *columns;      // names, before
    List *conversions;  // one for each subcommand: USING's expression in SQL, or nullptr
    List *computed;     // ComputedColumn: of USING, filled before the router's part
    List *used_objects; // NeededObject: of these expressions
    List *new_columns;  // NewColumn, filled by prepare_subcommands()
    List *replaced; // AlterTableCmd: DROP COLUMN of what comes back with computed values, so too
};

// Which part of a command is whose.
enum class Concern {
    Shards, // the same on the router and on the shards
    Router, // sequences, privileges, tablespaces, rules, FORCE ROW LEVEL SECURITY
    Owner,  // on shards that know the role
    Refused
};

// Whose part a subcommand is, whatever its table.
Concern concern_of(const AlterTableCmd *command);

// True if a list of names (char *) has this one.
bool is_named(const List *names, const char *name);

// DROP COLUMN as the shards run it.
char *drop_column_sql(const AlterTableCmd *part);

// After the router's part: what needs the session's own settings.
void prepare_subcommands(AlterCommand *command);

// The whole statement for the shards; nullptr where there is nothing for them.
char *alter_command_sql(const AlterCommand *command);

// Constraints that the router's part has added, as a list of Oids.
List *added_constraints(const AlterCommand *command);

// The constraints that a table declares itself (not those of its parent), as a list of Oids.
List *own_constraints(Oid relid);

} // namespace shardwise
