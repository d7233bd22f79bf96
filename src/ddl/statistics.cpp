#include "ddl/statistics.hpp"

#include "catalog/catalog.hpp"
#include "ddl/table_definition.hpp"
#include "executor/rows.hpp"
#include "pg/types.hpp"
#include "remote/connection.hpp"
#include "transaction/participants.hpp"

extern "C" {
#include "access/multixact.h"
#include "catalog/indexing.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_statistic.h"
#include "commands/vacuum.h"
#include "utils/datum.h"
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

// Shards that together hold each row of the table once.
List *shards_with_rows(const Table *table)
{
    const Shard *const *shards;
    int n = list_shards(&shards);
    if (!table->is_reference)
        return list_owners(table->keyspace);
    return n > 0 ? list_make1_int(shards[0]->id) : NIL;
}

Counts fetch_counts(Oid relid, List *shards)
{
    Counts counts = {};
    // A partitioned table's pages are those of its partitions.
    char *sql =
        psprintf("SELECT greatest(c.reltuples, 0), (SELECT sum(greatest(p.relpages, 0)) FROM "
                 "pg_catalog.pg_partition_tree(c.oid) t JOIN pg_catalog.pg_class p ON "
                 "p.oid = t.relid), greatest(c.relpages, 0) FROM pg_catalog.pg_class c "
                 "WHERE c.oid = %s::pg_catalog.regclass",
                 quote_literal_cstr(qualified_table_name(relid)));
    ListCell *cell;
    foreach (cell, shards) {
        PGresult *result = run_command(join_shard(lfirst_int(cell), Access::Read, false), sql);
        int pages = PQgetisnull(result, 0, 1) ? 2 : 1;
        counts.rows += strtod(PQgetvalue(result, 0, 0), nullptr);
        counts.pages += strtod(PQgetvalue(result, 0, pages), nullptr);
    }
    return counts;
}

void store_counts(Relation rel, const Counts &counts)
{
    vac_update_relstats(rel, (BlockNumber)Min(counts.pages, (double)MaxBlockNumber), counts.rows, 0,
                        rel->rd_rel->relhasindex, InvalidTransactionId, InvalidMultiXactId, nullptr,
                        nullptr, true);
}

// ---- columns -----------------------------------------------------------------------------------

// Asks the column's type what it wants to know; nullptr for a column without statistics.
VacAttrStats *examine_column(Relation rel, int attno, MemoryContext context)
{
    Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(rel), attno - 1);
    if (attribute->attisdropped || attribute->attstattarget == 0)
        return nullptr;
    VacAttrStats *stats = (VacAttrStats *)palloc0(sizeof(VacAttrStats));
    stats->attr = (Form_pg_attribute)palloc(ATTRIBUTE_FIXED_PART_SIZE);
    memcpy(stats->attr, attribute, ATTRIBUTE_FIXED_PART_SIZE);
    stats->attrtypid = attribute->atttypid;
    stats->attrtypmod = attribute->atttypmod;
    stats->attrcollid = attribute->attcollation;
    HeapTuple type = SearchSysCacheCopy1(TYPEOID, ObjectIdGetDatum(stats->attrtypid));
    if (!HeapTupleIsValid(type))
        elog(ERROR, "cache lookup failed for type %u", stats->attrtypid);
    stats->attrtype = (Form_pg_type)GETSTRUCT(type);
    stats->anl_context = context;
    stats->tupattnum = attno;
    for (int i = 0; i < STATISTIC_NUM_SLOTS; i++) {
        stats->statypid[i] = stats->attrtypid;
        stats->statyplen[i] = stats->attrtype->typlen;
        stats->statypbyval[i] = stats->attrtype->typbyval;
        stats->statypalign[i] = stats->attrtype->typalign;
    }
    bool wanted =
        OidIsValid(stats->attrtype->typanalyze)
            ? DatumGetBool(OidFunctionCall1(stats->attrtype->typanalyze, PointerGetDatum(stats)))
            : std_typanalyze(stats);
    return wanted && stats->compute_stats != nullptr && stats->minrows > 0 ? stats : nullptr;
}

extern "C" Datum fetch_sample_value(VacAttrStatsP stats, int row, bool *is_null)
{
    int i = row * stats->rowstride;
    *is_null = stats->exprnulls[i];
    return stats->exprvals[i];
}

// ---- sample ------------------------------------------------------------------------------------

struct Sample {
    int n;
    int room;
    int stride; // columns
    Datum *values;
    bool *nulls;
};

// As ANALYZE samples: some pages, and of these some rows; a shard's share is what it has.
char *sample_command(Relation rel, const Counts &counts, int wanted, List *columns)
{
    StringInfoData names;
    initStringInfo(&names);
    ListCell *cell;
    foreach (cell, columns)
        appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "",
                         quote_identifier(NameStr(((VacAttrStats *)lfirst(cell))->attr->attname)));
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
        TupleDescInitEntry(shape, number, NameStr(stats->attr->attname), stats->attrtypid,
                           stats->attrtypmod, 0);
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

// ---- pg_statistic ------------------------------------------------------------------------------

Datum numbers_array(const VacAttrStats *stats, int slot)
{
    Datum *numbers = (Datum *)palloc(sizeof(Datum) * stats->numnumbers[slot]);
    for (int i = 0; i < stats->numnumbers[slot]; i++)
        numbers[i] = Float4GetDatum(stats->stanumbers[slot][i]);
    return PointerGetDatum(construct_array(numbers, stats->numnumbers[slot], FLOAT4OID,
                                           sizeof(float4), true, TYPALIGN_INT));
}

Datum values_array(const VacAttrStats *stats, int slot)
{
    return PointerGetDatum(construct_array(stats->stavalues[slot], stats->numvalues[slot],
                                           stats->statypid[slot], stats->statyplen[slot],
                                           stats->statypbyval[slot], stats->statypalign[slot]));
}

void store_column(Relation catalog, Oid relid, bool inherited, const VacAttrStats *stats)
{
    Datum values[Natts_pg_statistic] = {};
    bool nulls[Natts_pg_statistic] = {};
    bool replaces[Natts_pg_statistic];
    memset(replaces, true, sizeof(replaces));
    values[Anum_pg_statistic_starelid - 1] = ObjectIdGetDatum(relid);
    values[Anum_pg_statistic_staattnum - 1] = Int16GetDatum(stats->attr->attnum);
    values[Anum_pg_statistic_stainherit - 1] = BoolGetDatum(inherited);
    values[Anum_pg_statistic_stanullfrac - 1] = Float4GetDatum(stats->stanullfrac);
    values[Anum_pg_statistic_stawidth - 1] = Int32GetDatum(stats->stawidth);
    values[Anum_pg_statistic_stadistinct - 1] = Float4GetDatum(stats->stadistinct);
    for (int slot = 0; slot < STATISTIC_NUM_SLOTS; slot++) {
        values[Anum_pg_statistic_stakind1 - 1 + slot] = Int16GetDatum(stats->stakind[slot]);
        values[Anum_pg_statistic_staop1 - 1 + slot] = ObjectIdGetDatum(stats->staop[slot]);
        values[Anum_pg_statistic_stacoll1 - 1 + slot] = ObjectIdGetDatum(stats->stacoll[slot]);
        int numbers = Anum_pg_statistic_stanumbers1 - 1 + slot;
        int samples = Anum_pg_statistic_stavalues1 - 1 + slot;
        nulls[numbers] = stats->numnumbers[slot] == 0;
        nulls[samples] = stats->numvalues[slot] == 0;
        if (!nulls[numbers])
            values[numbers] = numbers_array(stats, slot);
        if (!nulls[samples])
            values[samples] = values_array(stats, slot);
    }
    HeapTuple old = SearchSysCache3(STATRELATTINH, ObjectIdGetDatum(relid),
                                    Int16GetDatum(stats->attr->attnum), BoolGetDatum(inherited));
    if (HeapTupleIsValid(old)) {
        HeapTuple row = heap_modify_tuple(old, RelationGetDescr(catalog), values, nulls, replaces);
        ReleaseSysCache(old);
        CatalogTupleUpdate(catalog, &row->t_self, row);
    } else {
        CatalogTupleInsert(catalog, heap_form_tuple(RelationGetDescr(catalog), values, nulls));
    }
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
        Sample sample = take_sample(shards, sample_command(rel, counts, wanted, columns), columns);
        Relation catalog = table_open(StatisticRelationId, RowExclusiveLock);
        ListCell *cell;
        foreach (cell, columns) {
            VacAttrStats *stats = (VacAttrStats *)lfirst(cell);
            CHECK_FOR_INTERRUPTS();
            stats->exprvals = sample.values + foreach_current_index(cell);
            stats->exprnulls = sample.nulls + foreach_current_index(cell);
            stats->rowstride = sample.stride;
            if (sample.n > 0)
                stats->compute_stats(stats, fetch_sample_value, sample.n, counts.rows);
            if (stats->stats_valid)
                store_column(catalog, RelationGetRelid(rel),
                             rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE, stats);
        }
        table_close(catalog, RowExclusiveLock);
    }
    MemoryContextSwitchTo(saved);
    MemoryContextDelete(context);
}

} // namespace

void gather_statistics(Oid relid, bool analyze)
{
    ListCell *cell;
    foreach (cell, find_all_inheritors(relid, ShareUpdateExclusiveLock, nullptr)) {
        Relation rel = relation_open(lfirst_oid(cell), NoLock);
        const Table *table = find_table(RelationGetRelid(rel));
        if (table != nullptr) {
            List *shards = shards_with_rows(table);
            Counts counts = fetch_counts(RelationGetRelid(rel), shards);
            if (analyze)
                analyze_columns(rel, counts, shards);
            store_counts(rel, counts);
        }
        relation_close(rel, NoLock);
        CommandCounterIncrement();
    }
}

} // namespace shardwise
