// The subcommands of ALTER TABLE, one by one.
#include "pg/pg.hpp"

#include "ddl/alter_table.hpp"
#include "ddl/spi.hpp"
#include "ddl/table_definition.hpp"

extern "C" {
#include "catalog/pg_constraint.h"
#include "commands/defrem.h"
}

namespace shardwise
{

Concern concern_of(const AlterTableCmd *command)
{
    switch (command->subtype) {
    case AT_ChangeOwner:
        return Concern::Owner;
    case AT_ForceRowSecurity:
    case AT_NoForceRowSecurity:
    case AT_SetTableSpace:
    case AT_AddIdentity:
    case AT_SetIdentity:
    case AT_DropIdentity:
    case AT_EnableRule:
    case AT_EnableAlwaysRule:
    case AT_EnableReplicaRule:
    case AT_DisableRule:
    case AT_DropOids: // does nothing
        return Concern::Router;
    case AT_SetUnLogged:
    case AT_AddInherit:
    case AT_DropInherit:
    case AT_AddOf:
    case AT_DropOf:
        return Concern::Refused;
    default:
        return Concern::Shards;
    }
}

static void next_part(StringInfo sql)
{
    appendStringInfoString(sql, sql->len > 0 ? ", " : "");
}

static void append_column(StringInfo sql, const char *name, const char *format, ...)
    pg_attribute_printf(3, 4);

// ALTER COLUMN name, and what follows.
static void append_column(StringInfo sql, const char *name, const char *format, ...)
{
    next_part(sql);
    appendStringInfo(sql, "ALTER COLUMN %s ", quote_identifier(name));
    va_list arguments;
    int needed;
    do {
        va_start(arguments, format);
        needed = appendStringInfoVA(sql, format, arguments);
        va_end(arguments);
        if (needed > 0)
            enlargeStringInfo(sql, needed);
    } while (needed > 0);
}

static const char *option_value(DefElem *option)
{
    return option->arg != nullptr ? quote_literal_cstr(defGetString(option)) : "true";
}

static char *option_list(Node *options, bool with_values)
{
    StringInfoData list;
    initStringInfo(&list);
    ListCell *cell;
    foreach (cell, (List *)options) {
        DefElem *option = lfirst_node(DefElem, cell);
        appendStringInfoString(&list, list.len > 0 ? ", " : "");
        if (option->defnamespace != nullptr)
            appendStringInfo(&list, "%s.", quote_identifier(option->defnamespace));
        appendStringInfoString(&list, quote_identifier(option->defname));
        if (with_values)
            appendStringInfo(&list, " = %s", option_value(option));
    }
    return list.data;
}

bool is_named(const List *names, const char *name)
{
    ListCell *cell;
    foreach (cell, names)
        if (strcmp(static_cast<const char *>(lfirst(cell)), name) == 0)
            return true;
    return false;
}

static const NewColumn *find_new_column(const AlterCommand *command, const char *name)
{
    ListCell *cell;
    foreach (cell, command->new_columns) {
        const NewColumn *column = static_cast<const NewColumn *>(lfirst(cell));
        if (strcmp(column->column.name, quote_identifier(name)) == 0)
            return column;
    }
    return nullptr;
}

// A new default: read from the catalog, where it is qualified. One that reads a sequence stays
// home.
static void append_default(StringInfo sql, const AlterCommand *command, const AlterTableCmd *part)
{
    if (part->name == nullptr || find_new_column(command, part->name) != nullptr)
        return;
    ColumnDefinition column = read_column(command->table, part->name);
    bool drops = part->def == nullptr; // before a new type; another part may set one after that
    if (drops || column.default_sql == nullptr || column.sequences != NIL)
        append_column(sql, part->name, "DROP DEFAULT");
    else
        append_column(sql, part->name, "SET DEFAULT %s", column.default_sql);
}

static void append_type(StringInfo sql, const AlterCommand *command, const AlterTableCmd *part,
                        const char *conversion)
{
    ColumnDefinition column = read_column(command->table, part->name);
    append_column(sql, part->name, "TYPE %s%s%s%s", column.type,
                  conversion != nullptr ? " USING (" : "", conversion != nullptr ? conversion : "",
                  conversion != nullptr ? ")" : "");
}

static void append_deferrability(StringInfo sql, const Constraint *constraint)
{
    appendStringInfo(sql, "%sDEFERRABLE%s", constraint->deferrable ? " " : " NOT ",
                     constraint->initdeferred ? " INITIALLY DEFERRED" : "");
}

// A constraint over an existing index, which takes the constraint's name.
static void append_index_constraint(StringInfo sql, const Constraint *constraint)
{
    const char *name = constraint->conname != nullptr ? constraint->conname : constraint->indexname;
    next_part(sql);
    appendStringInfo(sql, "ADD CONSTRAINT %s %s USING INDEX %s", quote_identifier(name),
                     constraint->contype == CONSTR_PRIMARY ? "PRIMARY KEY" : "UNIQUE",
                     quote_identifier(constraint->indexname));
    append_deferrability(sql, constraint);
}

static void append_replica_identity(StringInfo sql, const ReplicaIdentityStmt *identity)
{
    next_part(sql);
    appendStringInfoString(sql, "REPLICA IDENTITY ");
    switch (identity->identity_type) {
    case REPLICA_IDENTITY_DEFAULT:
        appendStringInfoString(sql, "DEFAULT");
        break;
    case REPLICA_IDENTITY_FULL:
        appendStringInfoString(sql, "FULL");
        break;
    case REPLICA_IDENTITY_NOTHING:
        appendStringInfoString(sql, "NOTHING");
        break;
    default:
        appendStringInfo(sql, "USING INDEX %s", quote_identifier(identity->name));
    }
}

// Subcommands that are a phrase and at most a name.
static const char *phrase_of(AlterTableType type)
{
    switch (type) {
    case AT_ValidateConstraint:
        return "VALIDATE CONSTRAINT";
    case AT_ClusterOn:
        return "CLUSTER ON";
    case AT_DropCluster:
        return "SET WITHOUT CLUSTER";
    case AT_SetAccessMethod:
        return "SET ACCESS METHOD";
    case AT_SetLogged:
        return "SET LOGGED";
    case AT_EnableTrig:
        return "ENABLE TRIGGER";
    case AT_EnableAlwaysTrig:
        return "ENABLE ALWAYS TRIGGER";
    case AT_EnableReplicaTrig:
        return "ENABLE REPLICA TRIGGER";
    case AT_DisableTrig:
        return "DISABLE TRIGGER";
    case AT_EnableTrigAll:
        return "ENABLE TRIGGER ALL";
    case AT_DisableTrigAll:
        return "DISABLE TRIGGER ALL";
    case AT_EnableTrigUser:
        return "ENABLE TRIGGER USER";
    case AT_DisableTrigUser:
        return "DISABLE TRIGGER USER";
    case AT_EnableRowSecurity:
        return "ENABLE ROW LEVEL SECURITY";
    case AT_DisableRowSecurity:
        return "DISABLE ROW LEVEL SECURITY";
    default:
        return nullptr;
    }
}

static void append_phrase(StringInfo sql, const AlterTableCmd *part)
{
    const char *phrase = phrase_of(part->subtype);
    if (phrase == nullptr)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("cannot run this form of ALTER TABLE on a distributed table")));
    next_part(sql);
    appendStringInfoString(sql, phrase);
    if (part->name != nullptr)
        appendStringInfo(sql, " %s", quote_identifier(part->name));
}

static void append_drop(StringInfo sql, const char *what, const AlterTableCmd *part)
{
    next_part(sql);
    appendStringInfo(sql, "DROP %s %s%s%s", what, part->missing_ok ? "IF EXISTS " : "",
                     quote_identifier(part->name),
                     part->behavior == DROP_CASCADE ? " CASCADE" : "");
}

static void append_new_column(StringInfo sql, const AlterCommand *command,
                              const AlterTableCmd *part)
{
    const NewColumn *column = find_new_column(command, castNode(ColumnDef, part->def)->colname);
    if (column == nullptr)
        return; // IF NOT EXISTS, and it does
    next_part(sql);
    if (column->computed != nullptr)
        appendStringInfoString(sql, filled_column_sql(column));
    else
        appendStringInfo(sql, "ADD COLUMN %s", new_column_sql(column));
}

static void append_statistics(StringInfo sql, const AlterTableCmd *part)
{
    next_part(sql);
    if (part->name != nullptr)
        appendStringInfo(sql, "ALTER COLUMN %s", quote_identifier(part->name));
    else
        appendStringInfo(sql, "ALTER COLUMN %d", part->num);
    appendStringInfo(sql, " SET STATISTICS %d", intVal(part->def));
}

static void append_subcommand(StringInfo sql, const AlterCommand *command,
                              const AlterTableCmd *part, const char *conversion)
{
    switch (part->subtype) {
    case AT_AddColumn:
        return append_new_column(sql, command, part);
    case AT_ColumnDefault:
        return append_default(sql, command, part);
    case AT_DropNotNull:
        return append_column(sql, part->name, "DROP NOT NULL");
    case AT_SetNotNull:
        return append_column(sql, part->name, "SET NOT NULL");
    case AT_DropExpression:
        return append_column(sql, part->name, "DROP EXPRESSION%s",
                             part->missing_ok ? " IF EXISTS" : "");
    case AT_SetStatistics:
        return append_statistics(sql, part);
    case AT_SetOptions:
        return append_column(sql, part->name, "SET (%s)", option_list(part->def, true));
    case AT_ResetOptions:
        return append_column(sql, part->name, "RESET (%s)", option_list(part->def, false));
    case AT_SetStorage:
        return append_column(sql, part->name, "SET STORAGE %s", strVal(part->def));
    case AT_SetCompression:
        return append_column(sql, part->name, "SET COMPRESSION %s", strVal(part->def));
    case AT_AlterColumnType:
        return append_type(sql, command, part, conversion);
    case AT_DropColumn:
        if (!list_member_ptr(command->replaced, part))
            append_drop(sql, "COLUMN", part);
        return;
    case AT_DropConstraint:
        return append_drop(sql, "CONSTRAINT", part);
    case AT_AddConstraint:
        if (castNode(Constraint, part->def)->indexname != nullptr)
            append_index_constraint(sql, castNode(Constraint, part->def));
        return; // others are read from the catalog
    case AT_AlterConstraint:
        next_part(sql);
        appendStringInfo(sql, "ALTER CONSTRAINT %s",
                         quote_identifier(castNode(Constraint, part->def)->conname));
        return append_deferrability(sql, castNode(Constraint, part->def));
    case AT_SetRelOptions:
        next_part(sql);
        return appendStringInfo(sql, "SET (%s)", option_list(part->def, true));
    case AT_ResetRelOptions:
        next_part(sql);
        return appendStringInfo(sql, "RESET (%s)", option_list(part->def, false));
    case AT_ReplicaIdentity:
        return append_replica_identity(sql, castNode(ReplicaIdentityStmt, part->def));
    default:
        return append_phrase(sql, part);
    }
}

List *own_constraints(Oid relid)
{
    SqlRows rows = query_router("SELECT oid FROM pg_constraint WHERE conrelid = $1 "
                                "AND contype NOT IN ('t', 'n') AND conparentid = 0 AND coninhcount "
                                "= 0 ORDER BY contype <> 'p', "
                                "contype <> 'u', contype = 'f', conname",
                                1, &relid);
    List *oids = NIL;
    for (int i = 0; i < rows.count; i++)
        oids = lappend_oid(oids, atooid(rows.values[i][0]));
    return oids;
}

// Names that the statement itself gives up, or gives to a constraint over an index.
static bool is_taken_care_of(const AlterCommand *command, const char *name, bool *dropped)
{
    ListCell *cell;
    foreach (cell, command->statement->cmds) {
        const AlterTableCmd *part = lfirst_node(AlterTableCmd, cell);
        if (part->subtype == AT_DropConstraint && strcmp(part->name, name) == 0)
            *dropped = true;
        if (part->subtype != AT_AddConstraint)
            continue;
        const Constraint *constraint = castNode(Constraint, part->def);
        if (constraint->indexname != nullptr &&
            strcmp(constraint->conname ? constraint->conname : constraint->indexname, name) == 0)
            return true;
    }
    return false;
}

static bool changes_types(const AlterCommand *command)
{
    ListCell *cell;
    foreach (cell, command->statement->cmds)
        if (lfirst_node(AlterTableCmd, cell)->subtype == AT_AlterColumnType)
            return true;
    return false;
}

// A change of a type makes constraints anew, under their old names, on the shards as well.
List *added_constraints(const AlterCommand *command)
{
    List *added = NIL;
    bool rebuilt = changes_types(command);
    ListCell *cell;
    foreach (cell, own_constraints(command->table)) {
        Oid oid = lfirst_oid(cell);
        if (list_member_oid(command->constraints, oid))
            continue;
        const char *name = get_constraint_name(oid);
        bool dropped = false;
        if (is_taken_care_of(command, name, &dropped))
            continue;
        if (!rebuilt || dropped || !is_named(command->names, name))
            added = lappend_oid(added, oid);
    }
    return added;
}

// The new column is filled before the statement's other parts, and takes the old one's name.
static void note_replaced_column(AlterCommand *command, const char *name)
{
    ListCell *cell;
    foreach (cell, command->statement->cmds) {
        AlterTableCmd *part = lfirst_node(AlterTableCmd, cell);
        if (part->subtype == AT_DropColumn && strcmp(part->name, name) == 0)
            command->replaced = lappend(command->replaced, part);
    }
}

char *drop_column_sql(const AlterTableCmd *part)
{
    StringInfoData sql;
    initStringInfo(&sql);
    append_drop(&sql, "COLUMN", part);
    return sql.data;
}

void prepare_subcommands(AlterCommand *command)
{
    ListCell *cell;
    List *dropped = NIL;
    foreach (cell, command->statement->cmds) {
        const AlterTableCmd *part = lfirst_node(AlterTableCmd, cell);
        if (part->subtype == AT_DropColumn)
            dropped = lappend(dropped, part->name);
    }
    foreach (cell, command->statement->cmds) {
        const AlterTableCmd *part = lfirst_node(AlterTableCmd, cell);
        if (part->subtype != AT_AddColumn)
            continue;
        const char *name = castNode(ColumnDef, part->def)->colname;
        if (is_named(command->columns, name) && !is_named(dropped, name))
            continue;
        NewColumn *column = static_cast<NewColumn *>(palloc(sizeof(NewColumn)));
        *column = prepare_new_column(command->table, name, command->is_reference);
        if (column->computed != nullptr && is_named(dropped, name))
            note_replaced_column(command, name);
        command->new_columns = lappend(command->new_columns, column);
    }
}

static void append_constraint(StringInfo sql, Oid constraint)
{
    SqlRows rows = query_router("SELECT format('ADD CONSTRAINT %I %s', conname, "
                                "pg_get_constraintdef(oid)) FROM pg_constraint WHERE oid = $1",
                                1, &constraint);
    next_part(sql);
    appendStringInfoString(sql, rows.values[0][0]);
}

char *alter_command_sql(const AlterCommand *command)
{
    StringInfoData parts;
    initStringInfo(&parts);
    const ListCell *cell, *conversion;
    forboth (cell, command->statement->cmds, conversion, command->conversions) {
        const AlterTableCmd *part = lfirst_node(AlterTableCmd, cell);
        if (concern_of(part) == Concern::Shards)
            append_subcommand(&parts, command, part, static_cast<char *>(lfirst(conversion)));
    }
    if (command->object == command->table)
        foreach (cell, added_constraints(command))
            append_constraint(&parts, lfirst_oid(cell));
    if (parts.len == 0)
        return nullptr;
    bool is_index = command->object != command->table;
    return psprintf("ALTER %s %s%s %s", is_index ? "INDEX" : "TABLE",
                    is_index || command->statement->relation->inh ? "" : "ONLY ", command->name,
                    parts.data);
}

} // namespace shardwise
