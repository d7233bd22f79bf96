#include "pg/pg.hpp"

#include "ddl/columns.hpp"
#include "ddl/column_values.hpp"
#include "ddl/spi.hpp"
#include "ddl/table_definition.hpp"

extern "C" {
#include "commands/sequence.h"
#include "executor/executor.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
#include "storage/lmgr.h"
}

namespace shardwise
{

static const char *const column_query = R"(
SELECT quote_ident(a.attname),
    format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attcollation <> 0
        AND a.attcollation <> t.typcollation THEN format(' COLLATE %I.%I', n.nspname, c.collname)
        ELSE '' END,
    CASE a.attcompression WHEN 'p' THEN ' COMPRESSION pglz' WHEN 'l' THEN ' COMPRESSION lz4' ELSE '' END,
    CASE a.attgenerated WHEN 's' THEN 'STORED' WHEN 'v' THEN 'VIRTUAL' END, a.attnotnull, pg_get_expr(d.adbin, d.adrelid)
FROM pg_attribute a
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
LEFT JOIN pg_collation c ON c.oid = a.attcollation
LEFT JOIN pg_namespace n ON n.oid = c.collnamespace
WHERE a.attrelid = $1 AND a.attnum = $2::int2)";

static const char *const sequences_query = R"(
SELECT s.oid
FROM pg_attrdef d
JOIN pg_depend p ON p.classid = 'pg_attrdef'::regclass AND p.objid = d.oid
    AND p.refclassid = 'pg_class'::regclass
JOIN pg_class s ON s.oid = p.refobjid AND s.relkind = 'S'
WHERE d.adrelid = $1 AND d.adnum = $2::int2
UNION
SELECT objid FROM pg_depend
WHERE classid = 'pg_class'::regclass AND refclassid = 'pg_class'::regclass AND refobjid = $1
    AND refobjsubid = $2::int4 AND deptype = 'i')";

ColumnDefinition read_column(Oid relid, const char *name)
{
    ColumnDefinition column = {};
    column.number = get_attnum(relid, name);
    const Oid types[] = {OIDOID, INT4OID};
    const Datum values[] = {ObjectIdGetDatum(relid), Int32GetDatum(column.number)};
    SqlRows rows = query_router_with(column_query, 2, types, values);
    if (rows.count != 1)
        elog(ERROR, "column \"%s\" of relation %u not found", name, relid);
    char **row = rows.values[0];
    column.name = row[0];
    column.type = row[1];
    column.compression = row[2];
    column.generated = row[3];
    column.is_not_null = row[4][0] == 't';
    column.default_sql = row[5];

    SqlRows sequences = query_router_with(sequences_query, 2, types, values);
    for (int i = 0; i < sequences.count; i++)
        column.sequences = lappend_oid(column.sequences, atooid(sequences.values[i][0]));
    if (column.default_sql == nullptr && column.sequences != NIL) // an identity
        column.default_sql =
            psprintf("pg_catalog.nextval(%s::pg_catalog.regclass)",
                     quote_literal_cstr(qualified_table_name(linitial_oid(column.sequences))));
    return column;
}

// The value of an expression without columns, as a literal of the column's type.
static char *evaluate(Relation rel, AttrNumber number, Expr *expr)
{
    EState *estate = CreateExecutorState();
    bool isnull;
    ExprState *state = ExecPrepareExpr(expr, estate);
    Datum value = ExecEvalExpr(state, GetPerTupleExprContext(estate), &isnull);
    char *literal = pstrdup("NULL");
    if (!isnull) {
        Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(rel), number - 1);
        Oid output;
        bool is_varlena;
        getTypeOutputInfo(attribute->atttypid, &output, &is_varlena);
        int settings = use_canonical_settings();
        char *text = OidOutputFunctionCall(output, value);
        literal = quote_literal_cstr(text);
        restore_settings(settings);
    }
    FreeExecutorState(estate);
    return literal;
}

NewColumn prepare_new_column(Oid relid, const char *name, bool is_reference)
{
    NewColumn result = {};
    result.column = read_column(relid, name);
    if (result.column.generated != nullptr)
        return result;

    Relation rel = table_open(relid, NoLock);
    Node *expr = build_column_default(rel, result.column.number); // a domain's, too
    if (contain_volatile_functions(expr)) {
        if (must_be_computed(expr, is_reference))
            result.computed = expr;
        Form_pg_attribute attribute =
            TupleDescAttr(RelationGetDescr(rel), result.column.number - 1);
        result.base_type = computed_type(attribute->atttypid, attribute->atttypmod);
    } else if (contain_mutable_functions(expr)) {
        result.once = evaluate(rel, result.column.number, (Expr *)expr);
    }
    table_close(rel, NoLock);
    return result;
}

char *empty_column_sql(const NewColumn *column)
{
    return psprintf("%s %s%s", column->column.name, column->base_type, column->column.compression);
}

char *filled_column_sql(const NewColumn *column)
{
    const ColumnDefinition *c = &column->column;
    StringInfoData sql;
    initStringInfo(&sql);
    appendStringInfo(&sql, "ALTER COLUMN %s TYPE %s", c->name, c->type);
    if (c->sequences == NIL && c->default_sql != nullptr)
        appendStringInfo(&sql, ", ALTER COLUMN %s SET DEFAULT %s", c->name, c->default_sql);
    if (c->is_not_null)
        appendStringInfo(&sql, ", ALTER COLUMN %s SET NOT NULL", c->name);
    return sql.data;
}

char *new_column_sql(const NewColumn *column)
{
    const ColumnDefinition *c = &column->column;
    StringInfoData sql;
    initStringInfo(&sql);
    appendStringInfo(&sql, "%s %s%s", c->name, c->type, c->compression);
    if (c->generated != nullptr)
        appendStringInfo(&sql, " GENERATED ALWAYS AS (%s) %s", c->default_sql, c->generated);
    else if (column->once != nullptr)
        appendStringInfo(&sql, " DEFAULT %s", column->once);
    else if (c->default_sql != nullptr)
        appendStringInfo(&sql, " DEFAULT %s", c->default_sql);
    if (c->is_not_null)
        appendStringInfoString(&sql, " NOT NULL");
    return sql.data;
}

char *lasting_default_sql(const NewColumn *column)
{
    const ColumnDefinition *c = &column->column;
    if (column->computed != nullptr)
        return nullptr;
    bool stays_home = c->sequences != NIL && c->generated == nullptr;
    if (stays_home || (column->once != nullptr && c->default_sql == nullptr))
        return psprintf("ALTER COLUMN %s DROP DEFAULT", c->name);
    if (column->once != nullptr)
        return psprintf("ALTER COLUMN %s SET DEFAULT %s", c->name, c->default_sql);
    return nullptr;
}

// How often a default reads a sequence for one row.
static int count_draws(const char *default_sql)
{
    int count = 0;
    for (const char *at = default_sql; (at = strstr(at, "nextval(")) != nullptr; at++)
        count++;
    return Max(count, 1);
}

struct SequenceState {
    int64 increment;
    char *definition; // of another sequence like it, without START
};

static SequenceState read_sequence(Oid sequence)
{
    SqlRows rows = query_router(R"(
SELECT seqincrement, format('AS %s INCREMENT %s MINVALUE %s MAXVALUE %s %s', format_type(seqtypid, NULL),
    seqincrement, seqmin, seqmax, CASE WHEN seqcycle THEN 'CYCLE' ELSE 'NO CYCLE' END)
FROM pg_sequence WHERE seqrelid = $1)",
                                1, &sequence);
    return {pg_strtoint64(rows.values[0][0]), rows.values[0][1]};
}

static void open_sequence(const List *targets, const int64 *rows, int draws, Oid sequence)
{
    // Nobody else draws while the block is taken, or the numbers would collide.
    LockRelationOid(sequence, ShareRowExclusiveLock);
    SequenceState state = read_sequence(sequence);
    char *name = qualified_table_name(sequence);
    int64 next = 0;
    bool drawn = false;
    ListCell *cell;
    foreach (cell, targets) {
        int64 count = rows[foreach_current_index(cell)] * draws;
        if (count > 0 && !drawn) {
            next = nextval_internal(sequence, false);
            drawn = true;
        }
        char *start = drawn ? psprintf(" START " INT64_FORMAT, next) : pstrdup("");
        run_command(static_cast<Target *>(lfirst(cell))->connection,
                    psprintf("CREATE SEQUENCE %s %s%s", name, state.definition, start));
        next += count * state.increment;
    }
    if (drawn)
        DirectFunctionCall2(setval_oid, ObjectIdGetDatum(sequence),
                            Int64GetDatum(next - state.increment));
}

static bool reads_sequences_on_shards(const NewColumn *column)
{
    return column->column.sequences != NIL && column->column.generated == nullptr &&
           column->computed == nullptr;
}

void open_sequences(const List *targets, Oid relid, const NewColumn *column)
{
    if (!reads_sequences_on_shards(column))
        return;
    char *table = qualified_table_name(relid);
    run_on_targets(targets, psprintf("LOCK TABLE %s IN ACCESS EXCLUSIVE MODE", table));
    int64 *rows = static_cast<int64 *>(palloc(list_length(targets) * sizeof(int64)));
    ListCell *cell;
    foreach (cell, targets) {
        PGresult *result = run_command(static_cast<Target *>(lfirst(cell))->connection,
                                       psprintf("SELECT count(*) FROM %s", table));
        rows[foreach_current_index(cell)] = pg_strtoint64(PQgetvalue(result, 0, 0));
    }
    foreach (cell, column->column.sequences)
        open_sequence(targets, rows, count_draws(column->column.default_sql), lfirst_oid(cell));
}

void close_sequences(const List *targets, const NewColumn *column)
{
    if (!reads_sequences_on_shards(column))
        return;
    ListCell *cell;
    foreach (cell, column->column.sequences)
        run_on_targets(targets,
                       psprintf("DROP SEQUENCE %s", qualified_table_name(lfirst_oid(cell))));
}

} // namespace shardwise
