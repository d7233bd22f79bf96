#include "pg/pg.hpp"

#include "ddl/column_values.hpp"
#include "ddl/ddl.hpp"
#include "ddl/spi.hpp"
#include "ddl/table_definition.hpp"
#include "remote/connection.hpp"
#include "transaction/participants.hpp"

extern "C" {
#include "access/transam.h"
#include "catalog/pg_proc.h"
#include "executor/executor.h"
#include "optimizer/optimizer.h"
}

namespace shardwise
{

static constexpr int batch_rows = 10000;

char *computed_type(Oid type, int32 typmod)
{
    type = getBaseTypeAndTypmod(type, &typmod);
    return format_type_extended(type, typmod,
                                FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY);
}

static bool is_own_mutable(Oid function, void *)
{
    return function >= FirstNormalObjectId && func_volatile(function) != PROVOLATILE_IMMUTABLE;
}

static bool calls_own_mutable(Node *node, void *context)
{
    if (node == nullptr)
        return false;
    return check_functions_in_node(node, is_own_mutable, context) ||
           expression_tree_walker(node, (bool (*)())calls_own_mutable, context);
}

bool must_be_computed(Node *expr, bool is_reference)
{
    return (is_reference && contain_volatile_functions(expr)) || calls_own_mutable(expr, nullptr);
}

// Runs a command under canonical settings, so that values are the same texts everywhere.
static PGresult *run_canonically(Connection *shard, const char *sql)
{
    int settings = use_canonical_settings();
    PGresult *result = run_command(shard, sql);
    restore_settings(settings);
    return result;
}

// ---- reading rows, in batches -------------------------------------------------------------------

static void open_cursor(Connection *shard, const char *query)
{
    run_canonically(shard, psprintf("DECLARE shardwise_rows NO SCROLL CURSOR FOR %s", query));
}

static PGresult *fetch_rows(Connection *shard)
{
    return run_canonically(shard, psprintf("FETCH %d FROM shardwise_rows", batch_rows));
}

static void close_cursor(Connection *shard)
{
    run_command(shard, "CLOSE shardwise_rows");
}

static char *value_of(const PGresult *result, int row, int column)
{
    return PQgetisnull(result, row, column) ? nullptr : PQgetvalue(result, row, column);
}

// Gives the rows at some places their values. `places` and `values`: of char *, as many.
static void store_values(Connection *shard, const char *table, const ComputedColumn *column,
                         const List *places, const List *values)
{
    run_canonically(shard, psprintf("UPDATE ONLY %s r SET %s = n.value::%s "
                                    "FROM unnest(%s::tid[], %s::text[]) n(place, value) "
                                    "WHERE r.ctid = n.place",
                                    table, column->name, column->type, text_array_literal(places),
                                    text_array_literal(values)));
}

// ---- the first copy, or each shard's own rows ---------------------------------------------------

struct Computation {
    TupleTableSlot *slot; // a row as the expression reads it
    EState *estate;
    ExprState *state;
    List *attributes; // numbers of the columns that the expression reads
    Oid output;
};

static List *used_attributes(Relation rel, Node *expr)
{
    Bitmapset *used = nullptr;
    pull_varattnos(expr, 1, &used);
    bool whole_row = bms_is_member(0 - FirstLowInvalidHeapAttributeNumber, used);
    List *attributes = NIL;
    TupleDesc columns = RelationGetDescr(rel);
    for (int i = 1; i <= columns->natts; i++)
        if (!TupleDescAttr(columns, i - 1)->attisdropped &&
            (whole_row || bms_is_member(i - FirstLowInvalidHeapAttributeNumber, used)))
            attributes = lappend_int(attributes, i);
    return attributes;
}

static Computation begin_computation(Relation rel, const ComputedColumn *column)
{
    Computation computation = {};
    computation.slot =
        MakeSingleTupleTableSlot(CreateTupleDescCopy(RelationGetDescr(rel)), &TTSOpsVirtual);
    computation.estate = CreateExecutorState();
    computation.state = ExecPrepareExpr((Expr *)column->expr, computation.estate);
    computation.attributes = used_attributes(rel, column->expr);
    bool is_varlena;
    getTypeOutputInfo(exprType(column->expr), &computation.output, &is_varlena);
    return computation;
}

static void end_computation(Computation *computation)
{
    FreeExecutorState(computation->estate);
    ExecDropSingleTupleTableSlot(computation->slot);
}

static char *cursor_query(Relation rel, const char *table, const List *attributes)
{
    StringInfoData sql;
    initStringInfo(&sql);
    appendStringInfoString(&sql, "SELECT ctid");
    ListCell *cell;
    foreach (cell, attributes)
        appendStringInfo(
            &sql, ", %s",
            quote_identifier(get_attname(RelationGetRelid(rel), lfirst_int(cell), false)));
    appendStringInfo(&sql, " FROM ONLY %s", table);
    return sql.data;
}

struct InputRow {
    Datum *values; // of all attributes
    bool *nulls;
};

static InputRow *read_inputs(const Computation *computation, const PGresult *rows)
{
    TupleDesc desc = computation->slot->tts_tupleDescriptor;
    int count = PQntuples(rows);
    InputRow *inputs = static_cast<InputRow *>(palloc(sizeof(InputRow) * count));
    int settings = use_canonical_settings();
    for (int i = 0; i < count; i++) {
        inputs[i].values = static_cast<Datum *>(palloc0(sizeof(Datum) * desc->natts));
        inputs[i].nulls = static_cast<bool *>(palloc(sizeof(bool) * desc->natts));
        memset(inputs[i].nulls, true, sizeof(bool) * desc->natts);
        ListCell *cell;
        foreach (cell, computation->attributes) {
            int number = lfirst_int(cell);
            Form_pg_attribute attribute = TupleDescAttr(desc, number - 1);
            Oid input, argument;
            getTypeInputInfo(attribute->atttypid, &input, &argument);
            char *text = value_of(rows, i, foreach_current_index(cell) + 1);
            inputs[i].values[number - 1] =
                OidInputFunctionCall(input, text, argument, attribute->atttypmod);
            inputs[i].nulls[number - 1] = text == nullptr;
        }
    }
    restore_settings(settings);
    return inputs;
}

// The expression runs under the session's own settings, its values are written under canonical
// ones.
static List *compute_values(const Computation *computation, const InputRow *inputs, int count)
{
    Datum *values = static_cast<Datum *>(palloc(sizeof(Datum) * count));
    bool *nulls = static_cast<bool *>(palloc(sizeof(bool) * count));
    ExprContext *context = GetPerTupleExprContext(computation->estate);
    context->ecxt_scantuple = computation->slot;
    int natts = computation->slot->tts_tupleDescriptor->natts;
    for (int i = 0; i < count; i++) {
        CHECK_FOR_INTERRUPTS();
        ExecClearTuple(computation->slot);
        memcpy(computation->slot->tts_values, inputs[i].values, sizeof(Datum) * natts);
        memcpy(computation->slot->tts_isnull, inputs[i].nulls, sizeof(bool) * natts);
        ExecStoreVirtualTuple(computation->slot);
        values[i] = ExecEvalExprSwitchContext(computation->state, context, &nulls[i]);
    }
    int settings = use_canonical_settings();
    List *texts = NIL;
    for (int i = 0; i < count; i++)
        texts = lappend(texts,
                        nulls[i] ? nullptr : OidOutputFunctionCall(computation->output, values[i]));
    restore_settings(settings);
    ResetPerTupleExprContext(computation->estate);
    return texts;
}

static void compute_on_shard(Connection *shard, Relation rel, const char *table,
                             const ComputedColumn *column)
{
    Computation computation = begin_computation(rel, column);
    open_cursor(shard, cursor_query(rel, table, computation.attributes));
    MemoryContext batch =
        AllocSetContextCreate(CurrentMemoryContext, "shardwise rows", ALLOCSET_DEFAULT_SIZES);
    int count = batch_rows;
    while (count == batch_rows) {
        MemoryContext caller = MemoryContextSwitchTo(batch);
        const PGresult *rows = fetch_rows(shard);
        count = PQntuples(rows);
        List *places = NIL;
        for (int i = 0; i < count; i++)
            places = lappend(places, PQgetvalue(rows, i, 0));
        List *values = compute_values(&computation, read_inputs(&computation, rows), count);
        if (count > 0)
            store_values(shard, table, column, places, values);
        MemoryContextSwitchTo(caller);
        MemoryContextReset(batch);
    }
    MemoryContextDelete(batch);
    close_cursor(shard);
    end_computation(&computation);
}

// ---- the other copies of a reference table ------------------------------------------------------

// Rows in the same order on every copy: those that are alike may change places.
static char *ordered_query(const char *table, const List *columns, const char *wanted)
{
    StringInfoData row;
    initStringInfo(&row);
    ListCell *cell;
    foreach (cell, columns)
        appendStringInfo(&row, "%s%s", row.len > 0 ? ", " : "", static_cast<char *>(lfirst(cell)));
    return psprintf("SELECT wanted, md5(line) FROM (SELECT %s AS wanted, ROW(%s)::text "
                    "COLLATE \"C\" AS line FROM ONLY %s) r ORDER BY line",
                    wanted, row.data, table);
}

static void check_same_rows(const PGresult *ours, const PGresult *theirs, const char *table)
{
    bool same = PQntuples(ours) == PQntuples(theirs);
    for (int i = 0; same && i < PQntuples(ours); i++)
        same = strcmp(PQgetvalue(ours, i, 1), PQgetvalue(theirs, i, 1)) == 0;
    if (!same)
        ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
                        errmsg("shards hold different rows of reference table %s", table),
                        errhint("Compare the shards' rows with shardwise.run_on_shards().")));
}

static void spread_values(Connection *source, Connection *target, const char *table,
                          const List *columns, const ComputedColumn *column)
{
    open_cursor(source, ordered_query(table, columns, psprintf("%s::text", column->name)));
    open_cursor(target, ordered_query(table, columns, "ctid"));
    MemoryContext batch =
        AllocSetContextCreate(CurrentMemoryContext, "shardwise rows", ALLOCSET_DEFAULT_SIZES);
    int count = batch_rows;
    while (count == batch_rows) {
        CHECK_FOR_INTERRUPTS();
        MemoryContext caller = MemoryContextSwitchTo(batch);
        const PGresult *computed = fetch_rows(source);
        const PGresult *rows = fetch_rows(target);
        check_same_rows(computed, rows, table);
        count = PQntuples(rows);
        List *places = NIL, *values = NIL;
        for (int i = 0; i < count; i++) {
            places = lappend(places, PQgetvalue(rows, i, 0));
            values = lappend(values, value_of(computed, i, 0));
        }
        if (count > 0)
            store_values(target, table, column, places, values);
        MemoryContextSwitchTo(caller);
        MemoryContextReset(batch);
    }
    MemoryContextDelete(batch);
    close_cursor(source);
    close_cursor(target);
}

// ---- all shards ---------------------------------------------------------------------------------

static List *connect_to_all()
{
    List *shards = NIL;
    ListCell *cell;
    foreach (cell, all_shard_ids())
        shards = lappend(shards, join_shard_for_management(lfirst_int(cell)));
    return shards;
}

static void run_on_all(const List *shards, const char *sql)
{
    ListCell *cell;
    foreach (cell, shards)
        run_command(static_cast<Connection *>(lfirst(cell)), sql);
}

// Statements that put a table's triggers back to what they are on the router.
static SqlRows trigger_states(Oid relid)
{
    return query_router(R"(
SELECT format('ALTER TABLE ONLY %I.%I %s TRIGGER %I', n.nspname, r.relname,
    CASE t.tgenabled WHEN 'O' THEN 'ENABLE' WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA'
        ELSE 'ENABLE ALWAYS' END, t.tgname)
FROM pg_trigger t JOIN pg_class r ON r.oid = t.tgrelid JOIN pg_namespace n ON n.oid = r.relnamespace
WHERE t.tgrelid = $1 AND NOT t.tgisinternal)",
                        1, &relid);
}

static void fill_leaf(const List *shards, Oid leaf, Relation rel, bool is_reference,
                      const List *columns, const ComputedColumn *column)
{
    const char *table = qualified_table_name(leaf);
    SqlRows triggers = trigger_states(leaf);
    if (triggers.count > 0)
        run_on_all(shards, psprintf("ALTER TABLE ONLY %s DISABLE TRIGGER USER", table));
    Connection *first = static_cast<Connection *>(linitial(shards));
    ListCell *cell;
    foreach (cell, shards) {
        Connection *shard = static_cast<Connection *>(lfirst(cell));
        if (!is_reference || shard == first)
            compute_on_shard(shard, rel, table, column);
        else
            spread_values(first, shard, table, columns, column);
    }
    for (int i = 0; i < triggers.count; i++)
        run_on_all(shards, triggers.values[i][0]);
}

void fill_computed_column(Relation rel, bool is_reference, const List *columns,
                          const ComputedColumn *column)
{
    const List *shards = connect_to_all();
    ListCell *cell;
    foreach (cell, table_tree(RelationGetRelid(rel), NoLock))
        if (get_rel_relkind(lfirst_oid(cell)) == RELKIND_RELATION)
            fill_leaf(shards, lfirst_oid(cell), rel, is_reference, columns, column);
}

} // namespace shardwise
