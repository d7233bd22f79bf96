#include "ddl/expression_statistics.hpp"

#include "ddl/column_statistics.hpp"

extern "C" {
#include "catalog/index.h"
#include "executor/executor.h"
#include "statistics/statistics.h"
#include "utils/datum.h"
}

#include <cmath>

namespace shardwise
{

namespace
{

// An index with expressions, and what its columns make of a sample.
struct IndexSample {
    Relation index;
    IndexInfo *info;
    List *columns; // VacAttrStats of its expressions
    Datum *values; // of the expressions, row by row
    bool *nulls;
    int n; // rows that the index has
};

List *examine_expressions(const IndexSample *sample, MemoryContext context)
{
    List *columns = NIL;
    for (int i = 0; i < sample->info->ii_NumIndexAttrs; i++) {
        if (sample->info->ii_IndexAttrNumbers[i] != 0)
            continue;
        VacAttrStats *column = examine_column(sample->index, i + 1, context);
        if (column == nullptr)
            continue;
        if (i < sample->info->ii_NumIndexKeyAttrs && OidIsValid(sample->index->rd_indcollation[i]))
            column->attrcollid = sample->index->rd_indcollation[i];
        columns = lappend(columns, column);
    }
    return columns;
}

// Adds the expressions of a row, unless a partial index leaves it out.
void add_row(IndexSample *sample, EState *estate, TupleTableSlot *slot, ExprState *predicate)
{
    Datum values[INDEX_MAX_KEYS];
    bool nulls[INDEX_MAX_KEYS];
    if (predicate != nullptr && !ExecQual(predicate, GetPerTupleExprContext(estate)))
        return;
    FormIndexDatum(sample->info, slot, estate, values, nulls);
    int stride = list_length(sample->columns);
    ListCell *cell;
    foreach (cell, sample->columns) {
        VacAttrStats *column = (VacAttrStats *)lfirst(cell);
        int from = column->tupattnum - 1;
        int to = sample->n * stride + foreach_current_index(cell);
        sample->nulls[to] = nulls[from];
        sample->values[to] = nulls[from] ? 0
                                         : datumCopy(values[from], column->attrtype->typbyval,
                                                     column->attrtype->typlen);
    }
    sample->n++;
}

void sample_index(IndexSample *sample, Relation rel, const SampledRows &rows)
{
    Size room = (Size)rows.n * list_length(sample->columns);
    sample->values = (Datum *)MemoryContextAllocHuge(CurrentMemoryContext, room * sizeof(Datum));
    sample->nulls = (bool *)MemoryContextAllocHuge(CurrentMemoryContext, room * sizeof(bool));

    EState *estate = CreateExecutorState();
    ExprContext *econtext = GetPerTupleExprContext(estate);
    TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(rel), &TTSOpsHeapTuple);
    econtext->ecxt_scantuple = slot;
    ExprState *predicate = ExecPrepareQual(sample->info->ii_Predicate, estate);
    for (int i = 0; i < rows.n; i++) {
        CHECK_FOR_INTERRUPTS();
        ResetExprContext(econtext);
        ExecStoreHeapTuple(rows.tuples[i], slot, false);
        add_row(sample, estate, slot, predicate);
    }
    ExecDropSingleTupleTableSlot(slot);
    FreeExecutorState(estate);
}

void analyze_index(Relation rel, Relation index, const SampledRows &rows, MemoryContext context)
{
    IndexSample sample = {index, BuildIndexInfo(index), NIL, nullptr, nullptr, 0};
    if (sample.info->ii_Expressions == NIL)
        return;
    sample.columns = examine_expressions(&sample, context);
    if (sample.columns == NIL)
        return;
    sample_index(&sample, rel, rows);
    double total = std::ceil(rows.total * sample.n / rows.n);
    int stride = list_length(sample.columns);
    ListCell *cell;
    foreach (cell, sample.columns) {
        int i = foreach_current_index(cell);
        analyze_values((VacAttrStats *)lfirst(cell), index, false, sample.values + i,
                       sample.nulls + i, stride, sample.n, total);
    }
}

void analyze_indexes(Relation rel, const SampledRows &rows, MemoryContext context)
{
    ListCell *cell;
    foreach (cell, RelationGetIndexList(rel)) {
        Relation index = index_open(lfirst_oid(cell), AccessShareLock);
        analyze_index(rel, index, rows, context);
        index_close(index, NoLock);
    }
}

} // namespace

bool has_expression_statistics(Relation rel)
{
    return RelationGetStatExtList(rel) != NIL || RelationGetIndexList(rel) != NIL;
}

int rows_for_statistics_objects(Relation rel, int ncolumns, VacAttrStats **columns)
{
    return ComputeExtStatisticsRows(rel, ncolumns, columns);
}

void analyze_expressions(Relation rel, bool inherited, const SampledRows &rows, int ncolumns,
                         VacAttrStats **columns, MemoryContext context)
{
    Oid user;
    int security;
    GetUserIdAndSecContext(&user, &security);
    SetUserIdAndSecContext(rel->rd_rel->relowner, security | SECURITY_RESTRICTED_OPERATION);
    int settings = NewGUCNestLevel();
    BuildRelationExtStatistics(rel, inherited, rows.total, rows.n, rows.tuples, ncolumns, columns);
    if (!inherited) // indexes of a partitioned table have no rows of their own
        analyze_indexes(rel, rows, context);
    AtEOXact_GUC(false, settings);
    SetUserIdAndSecContext(user, security);
}

} // namespace shardwise
