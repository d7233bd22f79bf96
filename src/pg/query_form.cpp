#include "pg/query_form.hpp"

#include "pg/versions.hpp"

extern "C" {
#include "parser/parse_relation.h"
#include "parser/parsetree.h"
}

namespace shardwise
{

#if PG_VERSION_NUM >= 160000

// ---- permissions -------------------------------------------------------------------------------

// An entry of a query that was taken carries its permissions itself, in a field that has a meaning
// for joins alone: so they are copied and moved with it.
static RTEPermissionInfo *carried_permissions(const RangeTblEntry *rte)
{
    if (rte->rtekind == RTE_JOIN || rte->join_using_alias == nullptr)
        return nullptr;
    return linitial_node(RTEPermissionInfo, rte->join_using_alias->colnames);
}

static void carry(RangeTblEntry *rte, RTEPermissionInfo *info)
{
    rte->join_using_alias = makeAlias("permissions", list_make1(info));
    rte->perminfoindex = 0;
}

static void carry_permissions(Query *query)
{
    ListCell *cell;
    foreach (cell, query->rtable) {
        RangeTblEntry *rte = lfirst_node(RangeTblEntry, cell);
        if (rte->perminfoindex > 0)
            carry(rte, getRTEPermissionInfo(query->rteperminfos, rte));
    }
    query->rteperminfos = NIL;
}

static void list_permissions(const List *entries, List **infos)
{
    ListCell *cell;
    foreach (cell, entries) {
        RangeTblEntry *rte = lfirst_node(RangeTblEntry, cell);
        const RTEPermissionInfo *carried = carried_permissions(rte);
        if (carried == nullptr && rte->rtekind != RTE_RELATION)
            continue;
        rte->perminfoindex = 0;
        RTEPermissionInfo *info = addRTEPermissionInfo(infos, rte);
        if (carried != nullptr) {
            *info = *carried;
            info->relid = rte->relid;
            rte->join_using_alias = nullptr;
        }
    }
}

TablePermissions *permissions_of(RangeTblEntry *rte)
{
    if (carried_permissions(rte) == nullptr) {
        RTEPermissionInfo *info = makeNode(RTEPermissionInfo);
        info->relid = rte->relid;
        info->inh = rte->inh;
        carry(rte, info);
    }
    return carried_permissions(rte);
}

const TablePermissions *permissions_of(const RangeTblEntry *rte)
{
    return permissions_of(const_cast<RangeTblEntry *>(rte));
}

TablePermissions *permissions_of(ParseNamespaceItem *item)
{
    return item->p_perminfo;
}

bool has_permissions(const RangeTblEntry *rte)
{
    return rte->rtekind == RTE_RELATION || carried_permissions(rte) != nullptr;
}

void drop_permissions(RangeTblEntry *rte)
{
    rte->join_using_alias = nullptr;
    rte->perminfoindex = 0;
}

void check_permissions(PlannedStmt *plan)
{
    ExecCheckPermissions(plan->rtable, plan->permInfos, true);
}

void check_permissions(ParseState *parse)
{
    ExecCheckPermissions(parse->p_rtable, parse->p_rteperminfos, true);
}

Bitmapset *updated_columns(const RangeTblEntry *target)
{
    return permissions_of(target)->updatedCols; // the executor adds generated columns
}

// The executor checks all that are listed, and takes it ill if there is nothing to check.
static void drop_empty_permissions(List *entries, List **infos)
{
    List *kept = NIL;
    ListCell *cell;
    foreach (cell, entries) {
        RangeTblEntry *rte = lfirst_node(RangeTblEntry, cell);
        if (rte->perminfoindex == 0)
            continue;
        RTEPermissionInfo *info = getRTEPermissionInfo(*infos, rte);
        rte->perminfoindex = 0;
        if (info->requiredPerms == 0)
            continue;
        kept = lappend(kept, info);
        rte->perminfoindex = list_length(kept);
    }
    *infos = kept;
}

void add_entries(PlannedStmt *plan, List *entries)
{
    List *infos = NIL;
    list_permissions(entries, &infos);
    drop_empty_permissions(entries, &infos);
    CombineRangeTables(&plan->rtable, &plan->permInfos, entries, infos);
}

void finish_plan(PlannedStmt *plan)
{
    drop_empty_permissions(plan->rtable, &plan->permInfos);
}

// ---- columns that outer joins may make NULL ----------------------------------------------------

namespace
{

// A query around the current point.
struct Level {
    Level *outer;
    Relids *nulled_by; // by entry: the outer joins that may make its columns NULL
    Relids inside;     // of these, the ones that the current point is below: they come after it
};

// Notes what the joins below `item` do; returns the entries below it.
Relids note_outer_joins(Level *level, Node *item)
{
    if (IsA(item, RangeTblRef))
        return bms_make_singleton(((RangeTblRef *)item)->rtindex);
    Relids all = nullptr;
    if (IsA(item, FromExpr)) {
        ListCell *cell;
        foreach (cell, ((FromExpr *)item)->fromlist)
            all = bms_join(all, note_outer_joins(level, (Node *)lfirst(cell)));
        return all;
    }
    const JoinExpr *join = castNode(JoinExpr, item);
    Relids left = note_outer_joins(level, join->larg);
    Relids right = note_outer_joins(level, join->rarg);
    Relids nulled = nullptr;
    if (join->jointype == JOIN_LEFT || join->jointype == JOIN_FULL)
        nulled = bms_add_members(nulled, right);
    if (join->jointype == JOIN_RIGHT || join->jointype == JOIN_FULL)
        nulled = bms_add_members(nulled, left);
    for (int i = -1; (i = bms_next_member(nulled, i)) >= 0;)
        level->nulled_by[i] = bms_add_member(level->nulled_by[i], join->rtindex);
    return bms_add_member(bms_join(left, right), join->rtindex);
}

void mark_query(Query *query, Level *outer);

bool mark_walker(Node *node, void *context)
{
    Level *level = static_cast<Level *>(context);
    if (node == nullptr)
        return false;
    if (IsA(node, Query)) {
        mark_query((Query *)node, level);
        return false;
    }
    if (!IsA(node, Var))
        return expression_tree_walker(node, mark_walker, context);
    Var *var = (Var *)node;
    for (Index i = 0; i < var->varlevelsup && level != nullptr; i++)
        level = level->outer;
    var->varnullingrels = level == nullptr || var->varno <= 0
                              ? nullptr
                              : bms_difference(level->nulled_by[var->varno], level->inside);
    return false;
}

void mark_entry(Query *query, int varno, Level *level)
{
    (void)range_table_entry_walker(rt_fetch(varno, query->rtable), mark_walker, level, 0);
}

// Marks all below `item`, which is below the joins `inside`, and collects its entries.
Relids mark_item(Query *query, Node *item, Level *level, Relids inside)
{
    Relids seen = nullptr;
    if (IsA(item, RangeTblRef)) {
        int varno = ((RangeTblRef *)item)->rtindex;
        level->inside = inside;
        mark_entry(query, varno, level);
        return bms_make_singleton(varno);
    }
    if (IsA(item, FromExpr)) {
        ListCell *cell;
        foreach (cell, ((FromExpr *)item)->fromlist)
            seen = bms_join(seen, mark_item(query, (Node *)lfirst(cell), level, inside));
        level->inside = inside;
        (void)mark_walker(((FromExpr *)item)->quals, level);
        return seen;
    }
    JoinExpr *join = castNode(JoinExpr, item);
    Relids below = bms_add_member(bms_copy(inside), join->rtindex);
    seen = bms_join(mark_item(query, join->larg, level, below),
                    mark_item(query, join->rarg, level, below));
    level->inside = below;
    (void)mark_walker(join->quals, level);
    level->inside = inside;
    mark_entry(query, join->rtindex, level);
    return bms_add_member(seen, join->rtindex);
}

void mark_query(Query *query, Level *outer)
{
    int entries = list_length(query->rtable);
    Level level = {outer, (Relids *)palloc0(sizeof(Relids) * (entries + 1)), nullptr};
#if PG_VERSION_NUM >= 170000
    if (query->commandType == CMD_MERGE && query->mergeJoinCondition == nullptr)
        std::swap(query->jointree->quals, query->mergeJoinCondition);
#endif
    FromExpr *from = query->jointree;
    Relids seen = nullptr;
    list_permissions(query->rteperminfos == NIL ? query->rtable : NIL, &query->rteperminfos);
    if (from != nullptr) {
        (void)note_outer_joins(&level, (Node *)from);
        seen = mark_item(query, (Node *)from, &level, nullptr);
    }
    level.inside = nullptr;
    for (int varno = 1; varno <= entries; varno++)
        if (!bms_is_member(varno, seen))
            mark_entry(query, varno, &level);
    query->jointree = nullptr; // it has been marked
    (void)query_tree_walker(query, mark_walker, &level, QTW_IGNORE_RANGE_TABLE);
    query->jointree = from;
}

#if PG_VERSION_NUM >= 180000
// Gives columns of the groups' entry the expressions in its place.
void dissolve_groups(Query *query)
{
    if (!query->hasGroupRTE)
        return;
    query->targetList = (List *)flatten_group_exprs(nullptr, query, (Node *)query->targetList);
    query->havingQual = flatten_group_exprs(nullptr, query, query->havingQual);
    query->hasGroupRTE = false;
    ListCell *cell;
    foreach (cell, query->rtable) {
        RangeTblEntry *rte = lfirst_node(RangeTblEntry, cell);
        if (rte->rtekind != RTE_GROUP)
            continue;
        rte->rtekind = RTE_RESULT;
        rte->groupexprs = NIL;
    }
}
#endif

bool take_walker(Node *node, void *)
{
    if (node == nullptr)
        return false;
    if (IsA(node, Var)) {
        ((Var *)node)->varnullingrels = nullptr;
        return false;
    }
    if (!IsA(node, Query))
        return expression_tree_walker(node, take_walker, nullptr);
    Query *query = (Query *)node;
    carry_permissions(query);
#if PG_VERSION_NUM >= 170000
    if (query->mergeJoinCondition != nullptr)
        std::swap(query->jointree->quals, query->mergeJoinCondition);
#endif
#if PG_VERSION_NUM >= 180000
    dissolve_groups(query);
#endif
    return query_tree_walker(query, take_walker, nullptr, 0);
}

} // namespace

void take_query(Query *query)
{
    (void)take_walker((Node *)query, nullptr);
}

void give_query(Query *query)
{
    if (query->rteperminfos == NIL)
        mark_query(query, nullptr);
}

#else // PostgreSQL 15: permissions are fields of the entry

TablePermissions *permissions_of(RangeTblEntry *rte)
{
    return rte;
}

const TablePermissions *permissions_of(const RangeTblEntry *rte)
{
    return rte;
}

TablePermissions *permissions_of(ParseNamespaceItem *item)
{
    return item->p_rte;
}

bool has_permissions(const RangeTblEntry *rte)
{
    return rte->rtekind == RTE_RELATION;
}

void drop_permissions(RangeTblEntry *rte)
{
    rte->requiredPerms = 0;
    rte->selectedCols = rte->insertedCols = rte->updatedCols = nullptr;
    rte->extraUpdatedCols = nullptr;
}

void check_permissions(PlannedStmt *plan)
{
    ExecCheckRTPerms(plan->rtable, true);
}

void check_permissions(ParseState *parse)
{
    ExecCheckRTPerms(parse->p_rtable, true);
}

Bitmapset *updated_columns(const RangeTblEntry *target)
{
    return bms_union(target->updatedCols, target->extraUpdatedCols);
}

void add_entries(PlannedStmt *plan, List *entries)
{
    plan->rtable = list_concat(plan->rtable, entries);
}

#endif

static RangeTblEntry *make_table_entry(Oid relid, char relkind, LOCKMODE lock)
{
    RangeTblEntry *rte = makeNode(RangeTblEntry);
    rte->rtekind = RTE_RELATION;
    rte->relid = relid;
    rte->relkind = relkind;
    rte->rellockmode = lock;
    return rte;
}

void check_permissions(Oid relid, AclMode mode, Bitmapset *selected_columns)
{
    RangeTblEntry *rte = make_table_entry(relid, get_rel_relkind(relid), AccessShareLock);
    TablePermissions *permissions = permissions_of(rte);
    permissions->requiredPerms = mode;
    permissions->selectedCols = selected_columns;
    PlannedStmt *plan = makeNode(PlannedStmt);
    add_entries(plan, list_make1(rte));
    check_permissions(plan);
}

void init_fired_table(EState *estate, Oid relid, char relkind, Bitmapset *inserted,
                      Bitmapset *updated)
{
    RangeTblEntry *rte = make_table_entry(relid, relkind, RowExclusiveLock);
    List *entries = list_make1(rte);
    permissions_of(rte)->insertedCols = inserted;
    permissions_of(rte)->updatedCols = updated;
#if PG_VERSION_NUM >= 160000
    List *infos = NIL;
    list_permissions(entries, &infos);
#endif
#if PG_VERSION_NUM >= 180000
    ExecInitRangeTable(estate, entries, infos, bms_make_singleton(1));
#elif PG_VERSION_NUM >= 160000
    ExecInitRangeTable(estate, entries, infos);
#else
    ExecInitRangeTable(estate, entries);
#endif
}

// ---- MERGE -------------------------------------------------------------------------------------

bool merge_has_unmatched(const Query *merge)
{
#if PG_VERSION_NUM >= 170000
    ListCell *cell;
    foreach (cell, merge->mergeActionList)
        if (!is_for_matched(lfirst_node(MergeAction, cell)))
            return true;
    return false;
#else
    return merge->mergeUseOuterJoin;
#endif
}

bool is_for_matched(const MergeAction *action)
{
#if PG_VERSION_NUM >= 170000
    return action->matchKind != MERGE_WHEN_NOT_MATCHED_BY_TARGET;
#else
    return action->matched;
#endif
}

void make_select_of_merge(Query *merge)
{
    merge->commandType = CMD_SELECT;
    merge->resultRelation = 0;
    merge->mergeActionList = NIL;
#if PG_VERSION_NUM >= 170000
    merge->mergeTargetRelation = 0;
#else
    merge->mergeUseOuterJoin = false;
#endif
}

const char *newer_merge_feature(const Query *merge)
{
#if PG_VERSION_NUM >= 170000
    if (merge->commandType != CMD_MERGE)
        return nullptr;
    if (merge->returningList != NIL)
        return "RETURNING";
    ListCell *cell;
    foreach (cell, merge->mergeActionList)
        if (lfirst_node(MergeAction, cell)->matchKind == MERGE_WHEN_NOT_MATCHED_BY_SOURCE)
            return "WHEN NOT MATCHED BY SOURCE";
#endif
    return nullptr;
}

} // namespace shardwise
