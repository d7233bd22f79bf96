#include "ddl/statistics.hpp"

#include "catalog/catalog.hpp"
#include "ddl/catalog_rows.hpp"
#include "ddl/column_statistics.hpp"
#include "ddl/ddl.hpp"
#include "ddl/expression_statistics.hpp"
#include "ddl/shard_analyses.hpp"
#include "ddl/table_definition.hpp"
#include "executor/rows.hpp"
#include "pg/types.hpp"
#include "pg/versions.hpp"
#include "remote/connection.hpp"
#include "transaction/participants.hpp"

extern "C" {
#include "access/multixact.h"
#include "catalog/pg_inherits.h"
#include "commands/vacuum.h"
}

namespace shardwise
{

namespace
{

// ---- counts ------------------------------------------------------------------------------------

struct Counts {
    double rows;
    double pages;
};

Counts fetch_counts(Oid relid, List *shards)
{
    Counts counts = {};
    // Autovacuum counts the rows of partitions alone.
    char *sql = psprintf(
        "SELECT coalesce(parts.rows, greatest(c.reltuples, 0)), coalesce(parts.pages, c.relpages) "
        "FROM pg_catalog.pg_class c CROSS JOIN LATERAL (SELECT sum(greatest(p.reltuples, 0)), "
        "sum(p.relpages) FROM pg_catalog.pg_partition_tree(c.oid) t JOIN pg_catalog.pg_class p ON "
        "p.oid = t.relid WHERE t.isleaf) parts (rows, pages) "
        "WHERE c.oid = %s::pg_catalog.regclass",
        quote_literal_cstr(qualified_table_name(relid)));
    ListCell *cell;
    foreach (cell, shards) {
        PGresult *result = run_command(join_shard(lfirst_int(cell), Access::Read, false), sql);
        counts.rows += strtod(PQgetvalue(result, 0, 0), nullptr);
        counts.pages += strtod(PQgetvalue(result, 0, 1), nullptr);
    }
    return counts;
}

// In pg_class, too, for those who look there.
void store_counts(Relation rel, const Counts &counts, const char *analyzed)
{
    store_table_statistics(RelationGetRelid(rel), counts.rows, counts.pages, analyzed);
    vac_update_relstats(rel, (BlockNumber)Min(counts.pages, (double)MaxBlockNumber), counts.rows, 0,
                        rel->rd_rel->relhasindex, InvalidTransactionId, InvalidMultiXactId, nullptr,
                        nullptr, true);
}

// ---- sample ------------------------------------------------------------------------------------

struct Sample {
    int n;
    int room;
    int stride; // columns
    Datum *values;
    bool *nulls;
};

const char *column_name(const VacAttrStats *stats)
{
    return NameStr(TupleDescAttr(stats->tupDesc, stats->tupattnum - 1)->attname);
}

// As ANALYZE samples: some pages, and of these some rows; a shard's share is what it has.
char *sample_command(Relation rel, const Counts &counts, int wanted, List *columns)
{
    StringInfoData names;
    initStringInfo(&names);
    ListCell *cell;
    foreach (cell, columns)
        appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "",
                         quote_identifier(column_name((VacAttrStats *)lfirst(cell))));
    bool is_partitioned = rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE;
    double pages = counts.pages > wanted ? 100.0 * wanted / counts.pages : 100;
    double rows = counts.rows * pages / 100;
    double share = rows > wanted ? wanted / rows : 1;
    return psprintf("SELECT %s FROM %s%s%s%s", names.data, is_partitioned ? "" : "ONLY ",
                    qualified_table_name(RelationGetRelid(rel)),
                    pages < 100 ? psprintf(" TABLESAMPLE SYSTEM (%g)", pages) : "",
                    share < 1 ? psprintf(" WHERE pg_catalog.random() < %g", share) : "");
}

void make_room(Sample *sample)
{
    if (sample->n < sample->room)
        return;
    sample->room = Max(1024, sample->room * 2);
    Size values = sizeof(Datum) * sample->room * sample->stride;
    Size nulls = sizeof(bool) * sample->room * sample->stride;
    sample->values =
        (Datum *)(sample->values != nullptr ? repalloc_huge(sample->values, values)
                                            : MemoryContextAllocHuge(CurrentMemoryContext, values));
    sample->nulls =
        (bool *)(sample->nulls != nullptr ? repalloc_huge(sample->nulls, nulls)
                                          : MemoryContextAllocHuge(CurrentMemoryContext, nulls));
}

void read_sample(Sample *sample, RemoteQuery *query, RowReader *reader)
{
    const PGresult *result;
    int row;
    while (next_row(query, &result, &row)) {
        make_room(sample);
        int first = sample->n * sample->stride;
        read_row(reader, result, row, &sample->values[first], &sample->nulls[first]);
        sample->n++;
    }
    end_query(query);
}

Sample take_sample(List *shards, const char *sql, List *columns)
{
    Sample sample = {};
    sample.stride = list_length(columns);
    TupleDesc shape = CreateTemplateTupleDesc(sample.stride);
    bool binary = true;
    ListCell *cell;
    foreach (cell, columns) {
        VacAttrStats *stats = (VacAttrStats *)lfirst(cell);
        int number = foreach_current_index(cell) + 1;
        TupleDescInitEntry(shape, number, column_name(stats), stats->attrtypid, stats->attrtypmod,
                           0);
        binary &= is_portable_in_binary(stats->attrtypid);
    }
    RowReader *reader = make_row_reader(shape, binary);
    RemoteStatement statement = {0, sql, 0, nullptr, binary};
    List *queries = NIL;
    foreach (cell, shards)
        queries = lappend(queries, start_query(join_shard(lfirst_int(cell), Access::Read, false),
                                               &statement, nullptr, CurrentMemoryContext));
    foreach (cell, queries)
        read_sample(&sample, (RemoteQuery *)lfirst(cell), reader);
    return sample;
}

// The sample as rows of the table.
SampledRows make_rows(Relation rel, const Sample &sample, List *columns, double total)
{
    TupleDesc shape = RelationGetDescr(rel);
    Datum *values = (Datum *)palloc0(sizeof(Datum) * shape->natts);
    bool *nulls = (bool *)palloc(sizeof(bool) * shape->natts);
    SampledRows rows = {sample.n, nullptr, total};
    rows.tuples = (HeapTuple *)MemoryContextAllocHuge(CurrentMemoryContext,
                                                      sizeof(HeapTuple) * (Size)sample.n);
    memset(nulls, true, sizeof(bool) * shape->natts);
    for (int row = 0; row < sample.n; row++) {
        ListCell *cell;
        foreach (cell, columns) {
            int from = row * sample.stride + foreach_current_index(cell);
            int to = ((VacAttrStats *)lfirst(cell))->tupattnum - 1;
            values[to] = sample.values[from];
            nulls[to] = sample.nulls[from];
        }
        rows.tuples[row] = heap_form_tuple(shape, values, nulls);
    }
    return rows;
}

VacAttrStats **column_array(List *columns)
{
    VacAttrStats **array = (VacAttrStats **)palloc(sizeof(VacAttrStats *) * list_length(columns));
    ListCell *cell;
    foreach (cell, columns)
        array[foreach_current_index(cell)] = (VacAttrStats *)lfirst(cell);
    return array;
}

void analyze_sample(Relation rel, const Sample &sample, List *columns, double total,
                    MemoryContext context)
{
    bool inherited = rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE;
    ListCell *cell;
    foreach (cell, columns) {
        CHECK_FOR_INTERRUPTS();
        int i = foreach_current_index(cell);
        analyze_values((VacAttrStats *)lfirst(cell), rel, inherited, sample.values + i,
                       sample.nulls + i, sample.stride, sample.n, total);
    }
    if (sample.n > 0 && has_expression_statistics(rel))
        analyze_expressions(rel, inherited, make_rows(rel, sample, columns, total),
                            list_length(columns), column_array(columns), context);
}

void analyze_columns(Relation rel, const Counts &counts, List *shards)
{
    MemoryContext context =
        AllocSetContextCreate(CurrentMemoryContext, "shardwise analyze", ALLOCSET_DEFAULT_SIZES);
    MemoryContext saved = MemoryContextSwitchTo(context);
    List *columns = NIL;
    int wanted = 100;
    for (int i = 1; i <= RelationGetNumberOfAttributes(rel); i++) {
        VacAttrStats *stats = examine_column(rel, i, context);
        if (stats == nullptr)
            continue;
        columns = lappend(columns, stats);
        wanted = Max(wanted, stats->minrows);
    }
    if (columns != NIL && counts.rows > 0) {
        wanted = Max(wanted,
                     rows_for_statistics_objects(rel, list_length(columns), column_array(columns)));
        Sample sample = take_sample(shards, sample_command(rel, counts, wanted, columns), columns);
        analyze_sample(rel, sample, columns, counts.rows, context);
    }
    MemoryContextSwitchTo(saved);
    MemoryContextDelete(context);
}

// Before rows are looked at: what is analyzed meanwhile is new.
const char *when_analyzed(Oid relid)
{
    AnalyzedTable *table = find_analyzed_table(relid);
    if (table == nullptr)
        return nullptr;
    ask_when_analyzed(list_make1(table));
    return table->when.data;
}

} // namespace

void gather_statistics(Oid relid, bool analyze)
{
    // Index expressions may need one, and statistics that are stored out of line do. ANALYZE of
    // several tables has committed, and its own has gone.
    PushActiveSnapshot(GetTransactionSnapshot());
    const char *analyzed = analyze ? when_analyzed(relid) : nullptr;
    ListCell *cell;
    foreach (cell, find_all_inheritors(relid, ShareUpdateExclusiveLock, nullptr)) {
        // VACUUM has let go of its locks.
        Relation rel = try_relation_open(lfirst_oid(cell), ShareUpdateExclusiveLock);
        if (rel == nullptr)
            continue;
        if (const Table *table = find_table(RelationGetRelid(rel))) {
            List *shards = shards_with_rows(table);
            Counts counts = fetch_counts(table->relid, shards);
            if (analyze)
                analyze_columns(rel, counts, shards);
            store_counts(rel, counts, table->relid == relid ? analyzed : nullptr);
        }
        relation_close(rel, NoLock);
        CommandCounterIncrement();
    }
    PopActiveSnapshot();
    request_statistics_refresh();
}

} // namespace shardwise
