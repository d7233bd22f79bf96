// What differs between versions of PostgreSQL. The code calls functions as PostgreSQL 15 has them:
// later versions get overloads of that form here, which give the arguments that were added their
// old meaning. What has become another field or object is a function of our own, for all versions.
// Query trees are the other half: pg/query_form.hpp.
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "access/heapam.h"
#include "catalog/index.h"
#include "commands/explain.h"
#include "commands/trigger.h"
#include "commands/vacuum.h"
#include "executor/executor.h"
#include "libpq/libpq.h"
#include "optimizer/optimizer.h"
#include "optimizer/prep.h"
#include "rewrite/rewriteManip.h"
#include "storage/latch.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "utils/guc_tables.h"
#include "utils/regproc.h"
#include "utils/relcache.h"
#if PG_VERSION_NUM >= 160000
#include "catalog/pg_database.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_foreign_data_wrapper.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "nodes/queryjumble.h"
#else
#include "storage/backendid.h"
#include "utils/queryjumble.h"
#endif
#if PG_VERSION_NUM >= 170000
#include "utils/fmgroids.h"
#endif
#if PG_VERSION_NUM >= 180000
#include "commands/explain_format.h"
#include "commands/explain_state.h"
#include "parser/parse_relation.h"
#endif
}

namespace shardwise
{

// ---- since 16 ----------------------------------------------------------------------------------

#if PG_VERSION_NUM >= 160000

inline bool pg_class_ownercheck(Oid relid, Oid role)
{
    return object_ownercheck(RelationRelationId, relid, role);
}

inline bool pg_database_ownercheck(Oid database, Oid role)
{
    return object_ownercheck(DatabaseRelationId, database, role);
}

inline bool pg_extension_ownercheck(Oid extension, Oid role)
{
    return object_ownercheck(ExtensionRelationId, extension, role);
}

inline bool pg_foreign_server_ownercheck(Oid server, Oid role)
{
    return object_ownercheck(ForeignServerRelationId, server, role);
}

inline bool pg_namespace_ownercheck(Oid schema, Oid role)
{
    return object_ownercheck(NamespaceRelationId, schema, role);
}

inline AclResult pg_foreign_data_wrapper_aclcheck(Oid wrapper, Oid role, AclMode mode)
{
    return object_aclcheck(ForeignDataWrapperRelationId, wrapper, role, mode);
}

inline AclResult pg_proc_aclcheck(Oid function, Oid role, AclMode mode)
{
    return object_aclcheck(ProcedureRelationId, function, role, mode);
}

inline List *stringToQualifiedNameList(const char *name)
{
    return ::stringToQualifiedNameList(name, nullptr);
}

inline void RelationSetNewRelfilenode(Relation relation, char persistence)
{
    RelationSetNewRelfilenumber(relation, persistence);
}

inline TM_Result heap_update(Relation relation, ItemPointer tid, HeapTuple tuple, CommandId command,
                             Snapshot crosscheck, bool wait, TM_FailureData *failure,
                             LockTupleMode *mode)
{
    TU_UpdateIndexes updated;
    return ::heap_update(relation, tid, tuple, command, crosscheck, wait, failure, mode, &updated);
}

// The rows of a query that is not being planned have no marks of the joins that make them NULL
// (pg/query_form.hpp), so that PlannerInfo is not asked for.
inline Node *flatten_join_alias_vars(Query *query, Node *node)
{
    return ::flatten_join_alias_vars(nullptr, query, node);
}

inline Relids get_relids_in_jointree(Node *jointree, bool include_joins)
{
    return ::get_relids_in_jointree(jointree, include_joins, include_joins);
}

#endif

// All settings; their number is *n. Since 16 the array is made anew for each call.
inline config_generic **list_settings(int *n)
{
#if PG_VERSION_NUM >= 160000
    return get_guc_variables(n);
#else
    *n = GetNumConfigOptions();
    return get_guc_variables();
#endif
}

inline int count_settings()
{
#if PG_VERSION_NUM >= 160000
    int n;
    pfree(get_guc_variables(&n));
    return n;
#else
    return GetNumConfigOptions();
#endif
}

// A table's file: another one after TRUNCATE, VACUUM FULL and the like.
inline Oid file_of(Relation relation)
{
#if PG_VERSION_NUM >= 160000
    return relation->rd_locator.relNumber;
#else
    return relation->rd_node.relNode;
#endif
}

// How rows of the target become rows of a partition of it that ExecFindPartition() has found;
// nullptr: they stay as they are.
inline TupleConversionMap *map_to_partition(ResultRelInfo *partition, EState *estate)
{
#if PG_VERSION_NUM >= 160000
    return ExecGetRootToChildMap(partition, estate);
#else
    return partition->ri_RootToPartitionMap;
#endif
}

// Fires BEFORE UPDATE triggers for a row that is not in the table itself.
inline bool fire_before_update(EState *estate, ResultRelInfo *table, HeapTuple old_row,
                               TupleTableSlot *new_row)
{
#if PG_VERSION_NUM >= 180000
    return ExecBRUpdateTriggers(estate, nullptr, table, nullptr, old_row, new_row, nullptr, nullptr,
                                false);
#elif PG_VERSION_NUM >= 160000
    return ExecBRUpdateTriggers(estate, nullptr, table, nullptr, old_row, new_row, nullptr,
                                nullptr);
#else
    return ExecBRUpdateTriggers(estate, nullptr, table, nullptr, old_row, new_row, nullptr);
#endif
}

// Gives a query its identifier, which must be switched on (compute_query_id).
inline void compute_query_identifier(Query *query, const char *text)
{
#if PG_VERSION_NUM >= 160000
    (void)JumbleQuery(query);
#else
    (void)JumbleQuery(query, text);
#endif
}

// ---- since 17 ----------------------------------------------------------------------------------

#if PG_VERSION_NUM >= 170000

inline bool LockHeldByMe(const LOCKTAG *tag, LOCKMODE mode)
{
    return ::LockHeldByMe(tag, mode, false);
}

inline bool reindex_relation(Oid relid, int flags, const ReindexParams *params)
{
    return ::reindex_relation(nullptr, relid, flags, params);
}

// Lives until FreeWaitEventSet(): there are no sets in memory contexts any more.
inline WaitEventSet *CreateWaitEventSet(MemoryContext, int n)
{
    return ::CreateWaitEventSet((ResourceOwner) nullptr, n);
}

inline bool pq_buffer_has_data()
{
    return pq_buffer_remaining_data() > 0;
}

constexpr Oid F_RANDOM = F_RANDOM_;

#endif

// The number of this backend, from 0 to MaxBackends - 1.
inline int backend_number()
{
#if PG_VERSION_NUM >= 170000
    return MyProcNumber;
#else
    return MyBackendId - 1;
#endif
}

// The place of this process in ProcGlobal->allProcs.
inline int process_number()
{
#if PG_VERSION_NUM >= 170000
    return MyProcNumber;
#else
    return MyProc->pgprocno;
#endif
}

// ALTER TABLE ... SET STATISTICS: -1 where nothing was set.
inline int statistics_target(Relation relation, AttrNumber column)
{
#if PG_VERSION_NUM >= 170000
    bool is_null = true;
    HeapTuple tuple = SearchSysCache2(ATTNUM, ObjectIdGetDatum(RelationGetRelid(relation)),
                                      Int16GetDatum(column));
    if (!HeapTupleIsValid(tuple))
        return -1;
    Datum target = SysCacheGetAttr(ATTNUM, tuple, Anum_pg_attribute_attstattarget, &is_null);
    ReleaseSysCache(tuple);
    return is_null ? -1 : DatumGetInt16(target);
#else
    return TupleDescAttr(RelationGetDescr(relation), column - 1)->attstattarget;
#endif
}

// Tells a typanalyze function which column it is about.
inline void set_analyzed_column(VacAttrStats *stats, Relation relation, AttrNumber column)
{
#if PG_VERSION_NUM >= 170000
    stats->attstattarget = statistics_target(relation, column);
#else
    stats->attr = (Form_pg_attribute)palloc(ATTRIBUTE_FIXED_PART_SIZE);
    memcpy(stats->attr, TupleDescAttr(RelationGetDescr(relation), column - 1),
           ATTRIBUTE_FIXED_PART_SIZE);
#endif
}

// ALTER STATISTICS ... SET STATISTICS: -1 for DEFAULT.
inline int statistics_target(const AlterStatsStmt *statement)
{
#if PG_VERSION_NUM >= 170000
    return statement->stxstattarget != nullptr ? intVal(statement->stxstattarget) : -1;
#else
    return statement->stxstattarget;
#endif
}

// ---- since 18 ----------------------------------------------------------------------------------

#if PG_VERSION_NUM >= 180000

inline void ExecutorRun(QueryDesc *desc, ScanDirection direction, uint64 count, bool)
{
    ::ExecutorRun(desc, direction, count);
}

inline Oid RelationGetPrimaryKeyIndex(Relation relation)
{
    return ::RelationGetPrimaryKeyIndex(relation, false);
}

inline void expandRTE(RangeTblEntry *rte, int varno, int sublevels_up, int location,
                      bool include_dropped, List **names, List **vars)
{
    ::expandRTE(rte, varno, sublevels_up, VAR_RETURNING_DEFAULT, location, include_dropped, names,
                vars);
}

inline Relation ExecGetRangeTableRelation(EState *estate, Index varno)
{
    return ::ExecGetRangeTableRelation(estate, varno, false);
}

inline Node *ReplaceVarsFromTargetList(Node *node, int varno, int sublevels_up, RangeTblEntry *rte,
                                       List *targets, ReplaceVarsNoMatchOption otherwise,
                                       int otherwise_varno, bool *has_sublinks)
{
    return ::ReplaceVarsFromTargetList(node, varno, sublevels_up, rte, targets, 0, otherwise,
                                       otherwise_varno, has_sublinks);
}

inline MinimalTuple heap_form_minimal_tuple(TupleDesc columns, const Datum *values,
                                            const bool *nulls)
{
    return ::heap_form_minimal_tuple(columns, values, nulls, 0);
}

inline void vac_update_relstats(Relation relation, BlockNumber pages, double rows,
                                BlockNumber visible_pages, bool has_index, TransactionId frozen,
                                MultiXactId multi, bool *frozen_updated, bool *multi_updated,
                                bool in_outer_xact)
{
    ::vac_update_relstats(relation, pages, rows, visible_pages, 0, has_index, frozen, multi,
                          frozen_updated, multi_updated, in_outer_xact);
}

inline TupleHashTable BuildTupleHashTableExt(PlanState *parent, TupleDesc columns, int nkeys,
                                             AttrNumber *keys, const Oid *equal, FmgrInfo *hash,
                                             Oid *collations, long nbuckets, Size additional,
                                             MemoryContext table_context, MemoryContext row_context,
                                             MemoryContext per_row_context, bool use_variable_iv)
{
    return BuildTupleHashTable(parent, columns, &TTSOpsVirtual, nkeys, keys, equal, hash,
                               collations, nbuckets, additional, table_context, row_context,
                               per_row_context, use_variable_iv);
}

#endif

// RETURNING old.column, new.column: which is meant; 0 where it is not said.
inline int returned_version(const Var *var)
{
#if PG_VERSION_NUM >= 180000
    return (int)var->varreturningtype;
#else
    return 0;
#endif
}

// True if a RETURNING list says of a column that the old or the new value is meant.
inline bool returns_versions(List *returning)
{
#if PG_VERSION_NUM >= 180000
    return contain_vars_returning_old_or_new((Node *)returning);
#else
    return false;
#endif
}

// <, <=, >= or > of two rows, as the number of a B-tree's strategy.
inline int row_comparison(const RowCompareExpr *row)
{
#if PG_VERSION_NUM >= 180000
    return (int)row->cmptype;
#else
    return (int)row->rctype;
#endif
}

// The pointer of ours that an entry of a hash table holds, whose additional size is that of a
// pointer.
inline void **entry_pointer(TupleHashTable table, TupleHashEntry entry)
{
#if PG_VERSION_NUM >= 180000
    return (void **)TupleHashEntryGetAdditional(table, entry);
#else
    return &entry->additional;
#endif
}

// How FindTupleHashEntry() computes the hash of a row of one column.
#if PG_VERSION_NUM >= 180000
using RowHash = ExprState;
#else
using RowHash = FmgrInfo;
#endif
inline RowHash *make_row_hash(TupleDesc columns, FmgrInfo *function, Oid *collation,
                              AttrNumber *column, PlanState *parent)
{
#if PG_VERSION_NUM >= 180000
    return ExecBuildHash32FromAttrs(columns, &TTSOpsVirtual, function, collation, 1, column, parent,
                                    0);
#else
    return function;
#endif
}

// True for an operator that sorts in descending order.
inline bool sorts_descending(Oid ordering_operator)
{
    Oid family, type;
#if PG_VERSION_NUM >= 180000
    CompareType order;
    return get_ordering_op_properties(ordering_operator, &family, &type, &order) &&
           order == COMPARE_GT;
#else
    int16 strategy;
    return get_ordering_op_properties(ordering_operator, &family, &type, &strategy) &&
           strategy == BTGreaterStrategyNumber;
#endif
}

} // namespace shardwise
