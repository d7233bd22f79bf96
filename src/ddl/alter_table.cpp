#include "pg/pg.hpp"

#include "ddl/alter_table.hpp"
#include "catalog/catalog.hpp"
#include "ddl/column_values.hpp"
#include "ddl/dependencies.hpp"
#include "ddl/forward.hpp"
#include "ddl/partitions.hpp"
#include "ddl/shard_sequences.hpp"
#include "ddl/spi.hpp"
#include "ddl/key_check_triggers.hpp"
#include "ddl/table_checks.hpp"
#include "ddl/table_definition.hpp"
#include "pg/versions.hpp"

extern "C" {
#include "catalog/pg_constraint.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_collation.h"
#include "nodes/pathnodes.h"
#include "optimizer/optimizer.h"
#include "commands/tablecmds.h"
#include "parser/parse_coerce.h"
#include "parser/parse_collate.h"
#include "parser/parse_expr.h"
#include "parser/parse_node.h"
#include "parser/parse_relation.h"
#include "parser/parse_type.h"
#include "utils/ruleutils.h"
}

namespace shardwise
{

static void refuse_key_change(const Table *table, const char *column, const char *detail)
{
    ereport(ERROR,
            (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
             errmsg("cannot change shard key column \"%s\" of table \"%s\"", column,
                    get_rel_name(table->relid)),
             errdetail_internal("%s", detail),
             errhint("Bring the table home first: SELECT shardwise.undistribute_table(%s).",
                     quote_literal_cstr(qualified_table_name(topmost_table(table->relid))))));
}

// Text stays the same text where its limit grows; every other change of type may give a key
// another value or another hash.
static bool keeps_keys(const Table *table, const AlterTableCmd *part)
{
    const ColumnDef *definition = castNode(ColumnDef, part->def);
    Oid type, old_type, collation;
    int32 typmod, old_typmod;
    get_atttypetypmodcoll(table->relid, get_attnum(table->relid, part->name), &old_type,
                          &old_typmod, &collation);
    typenameTypeIdAndMod(nullptr, definition->typeName, &type, &typmod);
    if (definition->raw_default != nullptr || definition->collClause != nullptr)
        return false;
    if (type == old_type && typmod == old_typmod)
        return true;
    bool is_text =
        (old_type == TEXTOID || old_type == VARCHAROID) && (type == TEXTOID || type == VARCHAROID);
    return is_text && collation == DEFAULT_COLLATION_OID &&
           (typmod < 0 || (old_typmod >= 0 && typmod >= old_typmod));
}

static void check_key_subcommand(const Table *table, const AlterTableCmd *part)
{
    if (part->name == nullptr || !is_key_column(table, get_attnum(table->relid, part->name)))
        return;
    if (part->subtype == AT_AlterColumnType && !keeps_keys(table, part))
        refuse_key_change(table, part->name,
                          "Its rows are where the hash or order of the present values puts them.");
    if (part->subtype == AT_DropNotNull)
        refuse_key_change(table, part->name, "A row without a key belongs to no shard.");
    if (part->subtype == AT_DropColumn)
        refuse_key_change(table, part->name, "The column decides on which shard a row is.");
}

// Refuses what would take the shard key's meaning away, or what shards cannot have.
static void check_subcommands(const AlterCommand *command)
{
    const Table *table = find_table(command->table);
    ListCell *cell;
    foreach (cell, command->statement->cmds) {
        const AlterTableCmd *part = lfirst_node(AlterTableCmd, cell);
        if (concern_of(part) == Concern::Refused)
            ereport(
                ERROR,
                (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                 errmsg("cannot change table \"%s\" in this way", get_rel_name(command->table)),
                 part->subtype == AT_SetUnLogged
                     ? errdetail("Distributed and reference tables are logged.")
                     : errdetail("Distributed and reference tables cannot take part in "
                                 "inheritance, nor be typed tables."),
                 errhint("Bring the table home first: SELECT "
                         "shardwise.undistribute_table(%s).",
                         quote_literal_cstr(qualified_table_name(topmost_table(command->table))))));
        check_key_subcommand(table, part);
    }
}

// What is stable has one value for the whole statement, now() say: the shards get it as a constant.
static Node *evaluate_once(Node *expr)
{
    PlannerInfo *root = makeNode(PlannerInfo);
    root->glob = makeNode(PlannerGlobal);
    return estimate_expression_value(root, expr);
}

static char *unused_column_name(const AlterCommand *command)
{
    for (int i = 1;; i++) {
        char *name = psprintf("shardwise_value_%d", i);
        if (get_attnum(command->table, name) == InvalidAttrNumber &&
            i > list_length(command->computed))
            return name;
    }
}

// The router computes USING's values into a column of their own, from which the shards take them.
static char *compute_by_router(AlterCommand *command, const AlterTableCmd *part, Node *expr)
{
    Oid type;
    int32 typmod;
    typenameTypeIdAndMod(nullptr, castNode(ColumnDef, part->def)->typeName, &type, &typmod);
    type = getBaseTypeAndTypmod(type, &typmod);
    Node *value = coerce_to_target_type(nullptr, expr, exprType(expr), type, typmod,
                                        COERCION_ASSIGNMENT, COERCE_IMPLICIT_CAST, -1);
    if (value == nullptr)
        return nullptr; // the router raises the error
    ComputedColumn *column = static_cast<ComputedColumn *>(palloc(sizeof(ComputedColumn)));
    *column = {unused_column_name(command), computed_type(type, typmod), value};
    command->computed = lappend(command->computed, column);
    command->used_objects =
        list_concat(command->used_objects, find_objects_of(TypeRelationId, type));
    return column->name;
}

// The expression of USING over the table's old columns, qualified, as the shards are to read it.
static char *conversion_sql(Relation rel, AlterCommand *command, const AlterTableCmd *part)
{
    if (part->subtype != AT_AlterColumnType)
        return nullptr;
    Node *raw = castNode(ColumnDef, part->def)->raw_default;
    if (raw == nullptr)
        return nullptr;
    ParseState *state = make_parsestate(nullptr);
    ParseNamespaceItem *item =
        addRangeTableEntryForRelation(state, rel, AccessShareLock, nullptr, false, true);
    addNSItemToQuery(state, item, false, true, true);
    Node *expr = transformExpr(state, copy_node(raw), EXPR_KIND_ALTER_COL_TRANSFORM);
    assign_expr_collations(state, expr);
    if (contain_mutable_functions(expr))
        expr = evaluate_once(expr);
    if (must_be_computed(expr, command->is_reference))
        return compute_by_router(command, part, expr);
    command->used_objects = list_concat(command->used_objects, find_objects_of_expression(expr));
    int settings = use_canonical_settings();
    List *context = deparse_context_for(RelationGetRelationName(rel), RelationGetRelid(rel));
    char *sql = deparse_expression(expr, context, false, false);
    restore_settings(settings);
    free_parsestate(state);
    return sql;
}

static List *column_names(Relation rel)
{
    List *names = NIL;
    TupleDesc columns = RelationGetDescr(rel);
    for (int i = 0; i < columns->natts; i++)
        if (!TupleDescAttr(columns, i)->attisdropped)
            names = lappend(names, pstrdup(NameStr(TupleDescAttr(columns, i)->attname)));
    return names;
}

static AlterCommand begin_command(AlterTableStmt *statement, Oid object, Oid relid)
{
    AlterCommand command = {};
    command.statement = copy_node(statement);
    command.object = object;
    command.table = relid;
    command.is_reference = find_table(relid)->is_reference;
    command.name = qualified_table_name(object);
    command.constraints = own_constraints(relid);
    ListCell *cell;
    foreach (cell, command.constraints)
        command.names = lappend(command.names, get_constraint_name(lfirst_oid(cell)));

    // Whoever may not change the table is told so by the router's part: no lock, no errors here.
    Relation rel = table_open(relid, AccessShareLock);
    command.indexes = list_copy(RelationGetIndexList(rel));
    command.columns = column_names(rel);
    bool may_change = pg_class_ownercheck(relid, GetUserId());
    foreach (cell, command.statement->cmds)
        command.conversions = lappend(
            command.conversions,
            may_change ? conversion_sql(rel, &command, lfirst_node(AlterTableCmd, cell)) : nullptr);
    table_close(rel, NoLock);
    return command;
}

// What the shards could not enforce; the router's part is undone with this error.
static void check_new_constraints(const AlterCommand *command)
{
    Relation rel = table_open(command->table, NoLock);
    List *indexes = RelationGetIndexList(rel);
    table_close(rel, NoLock);
    if (!equal(indexes, command->indexes))
        check_indexes_contain_key(command->table);
    ListCell *cell;
    foreach (cell, added_constraints(command))
        check_new_foreign_key(command->table, lfirst_oid(cell));
}

// Storage options of new keys, which their definition leaves out.
static List *new_index_settings(const AlterCommand *command)
{
    List *statements = NIL;
    ListCell *cell;
    foreach (cell, added_constraints(command)) {
        Oid constraint = lfirst_oid(cell);
        SqlRows rows = query_router(R"(
SELECT format('ALTER INDEX %I.%I SET (%s)', n.nspname, x.relname, array_to_string(x.reloptions, ', '))
FROM pg_constraint c JOIN pg_class x ON x.oid = c.conindid JOIN pg_namespace n ON n.oid = x.relnamespace
WHERE c.oid = $1 AND c.contype IN ('p', 'u', 'x') AND x.reloptions IS NOT NULL)",
                                    1, &constraint);
        if (rows.count == 1)
            statements = lappend(statements, rows.values[0][0]);
    }
    return statements;
}

static bool is_replaced(const AlterCommand *command, const char *column)
{
    ListCell *cell;
    foreach (cell, command->replaced)
        if (strcmp(lfirst_node(AlterTableCmd, cell)->name, column) == 0)
            return true;
    return false;
}

// One after the other, so that equal rows of the copies of a reference table, which may change
// places, do not once a column has made them different.
static void fill_columns(Relation rel, const AlterCommand *command, const List *computed)
{
    List *columns = NIL;
    ListCell *cell;
    foreach (cell, command->columns)
        if (!is_replaced(command, static_cast<char *>(lfirst(cell))))
            columns = lappend(
                columns, const_cast<char *>(quote_identifier(static_cast<char *>(lfirst(cell)))));
    foreach (cell, computed) {
        const ComputedColumn *column = static_cast<ComputedColumn *>(lfirst(cell));
        fill_computed_column(rel, command->is_reference, columns, column);
        columns = lappend(columns, column->name);
    }
}

// Before the router's part, as USING reads the old columns.
static void compute_conversions(const AlterCommand *command)
{
    if (command->computed == NIL)
        return;
    Relation rel = table_open(command->table, AccessExclusiveLock);
    table_tree(command->table, AccessExclusiveLock);
    CheckTableNotInUse(rel, "ALTER TABLE");
    Management management = begin_ddl();
    create_objects_on(management.targets, command->used_objects);
    ListCell *cell;
    foreach (cell, command->computed) {
        const ComputedColumn *column = static_cast<ComputedColumn *>(lfirst(cell));
        run_on_targets(management.targets, psprintf("ALTER TABLE %s ADD COLUMN %s %s",
                                                    command->name, column->name, column->type));
    }
    end_management(&management);
    fill_columns(rel, command, command->computed);
    table_close(rel, NoLock);
}

static void drop_conversions(const List *targets, const AlterCommand *command)
{
    ListCell *cell;
    foreach (cell, command->computed)
        run_on_targets(targets, psprintf("ALTER TABLE %s DROP COLUMN %s", command->name,
                                         static_cast<ComputedColumn *>(lfirst(cell))->name));
}

static List *computed_new_columns(const AlterCommand *command)
{
    List *computed = NIL;
    ListCell *cell;
    foreach (cell, command->new_columns) {
        const NewColumn *column = static_cast<NewColumn *>(lfirst(cell));
        if (column->computed == nullptr)
            continue;
        ComputedColumn *values = static_cast<ComputedColumn *>(palloc(sizeof(ComputedColumn)));
        *values = {column->column.name, column->base_type, column->computed};
        computed = lappend(computed, values);
    }
    return computed;
}

// New columns whose values the router computes, ahead of the rest of the command.
static void add_computed_columns(const AlterCommand *command)
{
    const List *computed = computed_new_columns(command);
    if (computed == NIL)
        return;
    Management management = begin_ddl();
    ship_dependencies(management.targets, command->table);
    ListCell *cell;
    foreach (cell, command->replaced)
        run_on_targets(management.targets,
                       psprintf("ALTER TABLE %s %s", command->name,
                                drop_column_sql(lfirst_node(AlterTableCmd, cell))));
    foreach (cell, command->new_columns) {
        const NewColumn *column = static_cast<NewColumn *>(lfirst(cell));
        if (column->computed != nullptr)
            run_on_targets(management.targets, psprintf("ALTER TABLE %s ADD COLUMN %s",
                                                        command->name, empty_column_sql(column)));
    }
    end_management(&management);
    Relation rel = table_open(command->table, NoLock);
    fill_columns(rel, command, computed);
    table_close(rel, NoLock);
}

static void change_owner(const List *targets, const AlterCommand *command)
{
    ListCell *cell;
    foreach (cell, command->statement->cmds)
        if (concern_of(lfirst_node(AlterTableCmd, cell)) == Concern::Owner)
            give_tables_to_owner(targets, command->table);
}

// Columns that are no longer what makes the shards number them, or get another default.
static List *columns_to_stop(const AlterCommand *command)
{
    const List *numbered = shard_numbered_columns(command->table);
    List *stopped = NIL;
    ListCell *cell;
    foreach (cell, command->statement->cmds) {
        const AlterTableCmd *part = lfirst_node(AlterTableCmd, cell);
        bool is_default = part->subtype == AT_ColumnDefault;
        if (!is_default && part->subtype != AT_AlterColumnType && part->subtype != AT_DropNotNull &&
            part->subtype != AT_DropIdentity)
            continue;
        if (part->name == nullptr || !is_named(command->columns, part->name) ||
            get_attnum(command->table, part->name) == InvalidAttrNumber)
            continue;
        if (is_default || !is_named(numbered, part->name))
            stopped = lappend(stopped, part->name);
    }
    return stopped;
}

// The shards' triggers that look at the key are in the way of another type of its columns.
static bool changes_type_of_key(const AlterCommand *command)
{
    const Table *table = find_table(command->table);
    bool found = false;
    ListCell *cell;
    foreach (cell, command->statement->cmds) {
        const AlterTableCmd *part = lfirst_node(AlterTableCmd, cell);
        found |= part->subtype == AT_AlterColumnType &&
                 is_key_column(table, get_attnum(command->table, part->name));
    }
    return found;
}

static void run_for_tree(const List *targets, Oid relid, List *(*make_sql)(Oid, Oid))
{
    ListCell *table, *cell;
    foreach (table, table_tree(relid, NoLock))
        foreach (cell, make_sql(lfirst_oid(table), InvalidOid))
            run_on_targets(targets, static_cast<char *>(lfirst(cell)));
}

static void run_on_shards(const AlterCommand *command)
{
    Management management = begin_ddl();
    const List *targets = management.targets;
    create_objects_on(targets, command->used_objects);
    ship_dependencies(targets, command->table);
    use_session_settings(&management);

    char *sql = alter_command_sql(command);
    List *clauses = NIL;
    ListCell *cell;
    foreach (cell, command->new_columns) {
        const NewColumn *column = static_cast<NewColumn *>(lfirst(cell));
        open_sequences(targets, command->table, column);
        if (char *clause = lasting_default_sql(column))
            clauses = lappend(clauses, psprintf("ALTER TABLE %s %s", command->name, clause));
    }
    bool may_be_numbered = !command->is_reference && command->object == command->table;
    if (may_be_numbered)
        stop_numbering_by_shards(targets, command->table, columns_to_stop(command));
    bool changes_key = changes_type_of_key(command);
    if (changes_key)
        run_for_tree(targets, command->table, drop_key_check_sql);
    if (sql != nullptr)
        run_on_targets(targets, sql);
    if (changes_key)
        run_for_tree(targets, command->table, key_check_sql);
    foreach (cell, clauses)
        run_on_targets(targets, static_cast<char *>(lfirst(cell)));
    foreach (cell, command->new_columns)
        close_sequences(targets, static_cast<NewColumn *>(lfirst(cell)));
    foreach (cell, new_index_settings(command))
        run_on_targets(targets, static_cast<char *>(lfirst(cell)));
    drop_conversions(targets, command);
    if (may_be_numbered)
        number_by_shards(targets, command->table);
    change_owner(targets, command);
    end_management(&management);
}

// True if a subcommand gives a default or an identity to a column which the statement adds: its
// rows have what ADD COLUMN says, and the catalog no longer tells.
static bool concerns_new_rows(const AlterTableStmt *statement, const AlterTableCmd *part)
{
    bool sets_default = part->subtype == AT_ColumnDefault && part->def != nullptr;
    bool found = false;
    ListCell *cell;
    foreach (cell, sets_default || part->subtype == AT_AddIdentity ? statement->cmds : NIL) {
        const AlterTableCmd *other = lfirst_node(AlterTableCmd, cell);
        found |= other->subtype == AT_AddColumn && part->name != nullptr &&
                 strcmp(castNode(ColumnDef, other->def)->colname, part->name) == 0;
    }
    return found;
}

static void forward_part(const UtilityCall &call, const AlterTableStmt *whole, List *parts,
                         ProcessUtilityContext context)
{
    AlterTableStmt *statement = copy_node(whole);
    statement->cmds = parts;
    UtilityCall part = call;
    part.statement = copy_node(call.statement);
    part.statement->utilityStmt = (Node *)statement;
    part.context = context;
    (void)forward_alter_table(part, statement);
}

// Runs a statement as two where that is needed; false: it is not.
static bool run_as_two(const UtilityCall &call, const AlterTableStmt *statement)
{
    List *first = NIL, *second = NIL;
    ListCell *cell;
    foreach (cell, statement->cmds) {
        AlterTableCmd *part = lfirst_node(AlterTableCmd, cell);
        List **parts = concerns_new_rows(statement, part) ? &second : &first;
        *parts = lappend(*parts, copy_node(part));
    }
    if (second == NIL)
        return false;
    forward_part(call, statement, first, call.context);
    CommandCounterIncrement();
    forward_part(call, statement, second, PROCESS_UTILITY_SUBCOMMAND);
    return true;
}

bool forward_alter_table(const UtilityCall &call, AlterTableStmt *statement)
{
    Oid object = RangeVarGetRelid(statement->relation, NoLock, true);
    Oid relid = shipped_relation(object);
    if (!OidIsValid(relid) || get_rel_relkind(object) == RELKIND_COMPOSITE_TYPE) {
        check_relatives_are_local(object, statement);
        return false;
    }
    check_ddl_allowed(relid, "ALTER TABLE");
    const AlterTableCmd *first = linitial_node(AlterTableCmd, statement->cmds);
    if (is_partition_command(first)) {
        forward_partition_command(call, statement, object);
        return true;
    }
    if (run_as_two(call, statement))
        return true;
    AlterCommand command = begin_command(statement, object, relid);
    if (pg_class_ownercheck(relid, GetUserId())) // others get PostgreSQL's error
        check_subcommands(&command);
    compute_conversions(&command);
    run_locally(call);
    CommandCounterIncrement();
    if (object == relid)
        check_new_constraints(&command);
    prepare_subcommands(&command);
    add_computed_columns(&command);
    run_on_shards(&command);
    return true;
}

} // namespace shardwise
