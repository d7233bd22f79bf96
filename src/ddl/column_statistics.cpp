#include "ddl/column_statistics.hpp"

#include "pg/versions.hpp"

extern "C" {
#include "access/htup_details.h"
#include "catalog/indexing.h"
#include "catalog/pg_statistic.h"
}

namespace shardwise
{

VacAttrStats *examine_column(Relation rel, int attno, MemoryContext context)
{
    Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(rel), attno - 1);
    if (attribute->attisdropped || statistics_target(rel, attno) == 0)
        return nullptr;
    VacAttrStats *stats = (VacAttrStats *)palloc0(sizeof(VacAttrStats));
    set_analyzed_column(stats, rel, attno);
    stats->attrtypid = attribute->atttypid;
    stats->attrtypmod = attribute->atttypmod;
    stats->attrcollid = attribute->attcollation;
    HeapTuple type = SearchSysCacheCopy1(TYPEOID, ObjectIdGetDatum(stats->attrtypid));
    if (!HeapTupleIsValid(type))
        elog(ERROR, "cache lookup failed for type %u", stats->attrtypid);
    stats->attrtype = (Form_pg_type)GETSTRUCT(type);
    stats->anl_context = context;
    stats->tupattnum = attno;
    stats->tupDesc = RelationGetDescr(rel);
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

namespace
{

extern "C" Datum fetch_sample_value(VacAttrStatsP stats, int row, bool *is_null)
{
    int i = row * stats->rowstride;
    *is_null = stats->exprnulls[i];
    return stats->exprvals[i];
}

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
    values[Anum_pg_statistic_staattnum - 1] = Int16GetDatum(stats->tupattnum);
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
                                    Int16GetDatum(stats->tupattnum), BoolGetDatum(inherited));
    if (HeapTupleIsValid(old)) {
        HeapTuple row = heap_modify_tuple(old, RelationGetDescr(catalog), values, nulls, replaces);
        ReleaseSysCache(old);
        CatalogTupleUpdate(catalog, &row->t_self, row);
    } else {
        CatalogTupleInsert(catalog, heap_form_tuple(RelationGetDescr(catalog), values, nulls));
    }
}

} // namespace

void analyze_values(VacAttrStats *column, Relation rel, bool inherited, Datum *values, bool *nulls,
                    int stride, int nrows, double total)
{
    column->exprvals = values;
    column->exprnulls = nulls;
    column->rowstride = stride;
    if (nrows > 0)
        column->compute_stats(column, fetch_sample_value, nrows, total);
    if (!column->stats_valid)
        return;
    Relation catalog = table_open(StatisticRelationId, RowExclusiveLock);
    store_column(catalog, RelationGetRelid(rel), inherited, column);
    table_close(catalog, RowExclusiveLock);
}

} // namespace shardwise
