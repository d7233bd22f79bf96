// Query trees in one form for all versions of PostgreSQL: that of 15. Later versions keep in a
// query what belongs to its entries and columns, which this code moves from query to query:
//   since 16  privileges are in a list of the query (Query.rteperminfos), and each Var knows the
//             outer joins that may make it NULL (Var.varnullingrels)
//   since 17  the condition of MERGE is apart from its source (Query.mergeJoinCondition)
//   since 18  columns of a query with GROUP BY refer to an entry for the groups (RTE_GROUP)
// So a query is taken into the old form where it comes in, and given the server's own form where it
// goes to PostgreSQL's planner. With 15 neither does anything.
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "parser/parse_node.h"
}

namespace shardwise
{

// What a statement must be allowed to do with a table, and who: requiredPerms, checkAsUser,
// selectedCols, insertedCols, updatedCols.
#if PG_VERSION_NUM >= 160000
using TablePermissions = RTEPermissionInfo;
#else
using TablePermissions = RangeTblEntry;
#endif

// Of an entry of a query that was taken.
TablePermissions *permissions_of(RangeTblEntry *rte);
const TablePermissions *permissions_of(const RangeTblEntry *rte);

// Of an entry that the parser has just made.
TablePermissions *permissions_of(ParseNamespaceItem *item);

// True for an entry whose privileges are to be checked.
bool has_permissions(const RangeTblEntry *rte);

void drop_permissions(RangeTblEntry *rte);

// Raise an error where privileges are missing.
void check_permissions(PlannedStmt *plan);
void check_permissions(ParseState *parse);
void check_permissions(Oid relid, AclMode mode, Bitmapset *selected_columns);

// Columns whose change fires UPDATE OF triggers, of the target of an UPDATE.
Bitmapset *updated_columns(const RangeTblEntry *target);

// Adds entries of a query that was taken to a plan's range table, which is not changed itself.
void add_entries(PlannedStmt *plan, List *entries);

// Tells the executor of a table that rows go into without a plan, by entry 1 of its range table.
void init_fired_table(EState *estate, Oid relid, char relkind, Bitmapset *inserted,
                      Bitmapset *updated);

#if PG_VERSION_NUM >= 160000
// Changes the query, at all levels. It may have been taken before.
void take_query(Query *query);

// Changes the query, at all levels, if it was taken.
void give_query(Query *query);

// Makes a plan of a query that was given what the executor expects.
void finish_plan(PlannedStmt *plan);
#else
inline void take_query(Query *) {}
inline void give_query(Query *) {}
inline void finish_plan(PlannedStmt *) {}
#endif

// MERGE: whether rows of the source without a partner count; whether an action is for those with
// one.
bool merge_has_unmatched(const Query *merge);
bool is_for_matched(const MergeAction *action);

// Makes a SELECT of it, which has yet to be given rows and columns.
void make_select_of_merge(Query *merge);

// What later versions' MERGE can do and 15's cannot; nullptr for other statements, and if it is not
// used.
const char *newer_merge_feature(const Query *merge);

} // namespace shardwise
