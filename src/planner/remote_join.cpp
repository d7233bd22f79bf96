#include "planner/remote_join.hpp"

#include "pg/pg.hpp"
#include "planner/locked_rows.hpp"
#include "planner/remote_source.hpp"
#include "planner/shipping.hpp"
#include "planner/table_scan.hpp"
#include "routing/colocation.hpp"
#include "routing/key_analysis.hpp"

extern "C" {
#include "optimizer/optimizer.h"
#include "optimizer/paths.h"
#include "parser/parsetree.h"
}

namespace shardwise
{

namespace
{

set_join_pathlist_hook_type previous_join_pathlist = nullptr;

// A join that may become one scan.
struct Candidate {
    PlannerInfo *root;
    RelOptInfo *joinrel;
    const RelOptInfo *left;
    const RelOptInfo *right;
    RemoteSource *source;
    List *local; // conditions that the shards cannot apply to the joined rows
};

// A value that is to be computed below the join, where the rows are still those of one side.
bool has_placeholder_below(const PlannerInfo *root, Relids relids)
{
    ListCell *cell;
    foreach (cell, root->placeholder_list) {
        const PlaceHolderInfo *info = (const PlaceHolderInfo *)lfirst(cell);
        if (bms_is_subset(info->ph_eval_at, relids) && !bms_equal(info->ph_eval_at, relids))
            return true;
    }
    return false;
}

// True if the planner joins rows as they come: none is locked or looked for again, and none depends
// on a row of another relation.
bool joins_plain_rows(const PlannerInfo *root, const RelOptInfo *joinrel)
{
    if (root->parse->commandType != CMD_SELECT || root->rowMarks != NIL ||
        joinrel->reloptkind != RELOPT_JOINREL || !bms_is_empty(joinrel->lateral_relids) ||
        IS_DUMMY_REL((RelOptInfo *)joinrel))
        return false;
    for (int varno = bms_next_member(joinrel->relids, -1); varno >= 0;
         varno = bms_next_member(joinrel->relids, varno))
        if (is_marked(planner_rt_fetch(varno, root)))
            return false;
    return !has_placeholder_below(root, joinrel->relids);
}

// What EXISTS asks about has no columns to show.
bool shows_columns(const Candidate *join)
{
    if (join->source->type != JOIN_SEMI && join->source->type != JOIN_ANTI)
        return true;
    Relids shown = pull_varnos(join->root, (Node *)join->joinrel->reltarget->exprs);
    return !bms_overlap(shown, join->right->relids);
}

// Sorts the join's conditions; false if the join cannot be sent for one of them.
bool sort_clauses(Candidate *join, List *restrictlist)
{
    RemoteSource *source = join->source;
    ListCell *cell;
    foreach (cell, restrictlist) {
        RestrictInfo *info = (RestrictInfo *)lfirst(cell);
        bool filters =
            IS_OUTER_JOIN(source->type) && RINFO_IS_PUSHED_DOWN(info, join->joinrel->relids);
        if (filters && source->type == JOIN_ANTI)
            return false;
        if (info->pseudoconstant)
            return false;
        if (!condition_ships(join->root, (Node *)info->clause)) {
            if (source->type != JOIN_INNER && !filters)
                return false;
            join->local = lappend(join->local, info->clause);
        } else if (filters) {
            source->clauses = lappend(source->clauses, info->clause);
        } else {
            source->partner_clauses = lappend(source->partner_clauses, info->clause);
        }
    }
    note_security(source, restrictlist);
    // A shard applies all conditions in the order that it likes.
    return source->leaky_security <= source->min_security;
}

// True if each shard can join its own rows, and the shards' rows together are the join's.
bool shards_join_alone(const Candidate *join)
{
    Query *query = make_source_query(join->root, join->source, NIL, NIL);
    Shipping shipping = {};
    ship_query(query, &shipping);
    if (shipping.refusal != nullptr)
        return false;
    if (!join->source->is_distributed || find_colocation(query).found)
        return true;
    KeyAnalysis analysis = analyze_keys(query);
    return analysis.unpinned == nullptr && has_one_key(&analysis);
}

// FULL JOIN keeps rows of both sides: their conditions have no place beside it.
bool keeps_conditions(const RemoteSource *source)
{
    return source->varno == 0 ? source->type != JOIN_INNER || keeps_conditions(source->left) ||
                                    keeps_conditions(source->right) || source->clauses != NIL
                              : source->clauses != NIL;
}

bool make_source(Candidate *join, JoinType type, List *restrictlist)
{
    const RemoteSource *left = find_source(join->left), *right = find_source(join->right);
    if (left == nullptr || right == nullptr ||
        (type == JOIN_FULL && (keeps_conditions(left) || keeps_conditions(right))))
        return false;
    RemoteSource *source = (RemoteSource *)palloc0(sizeof(RemoteSource));
    source->type = type;
    source->left = left;
    source->right = right;
    source->is_distributed = left->is_distributed || right->is_distributed;
    source->min_security = Min(left->min_security, right->min_security);
    source->leaky_security = Max(left->leaky_security, right->leaky_security);
    join->source = source;
    return sort_clauses(join, restrictlist) && shows_columns(join) && shards_join_alone(join);
}

extern "C" void shardwise_remote_join(PlannerInfo *root, RelOptInfo *joinrel, RelOptInfo *outer,
                                      RelOptInfo *inner, JoinType type, JoinPathExtraData *extra)
{
    if (previous_join_pathlist != nullptr)
        previous_join_pathlist(root, joinrel, outer, inner, type, extra);
    // A join is met from both of its sides, and in other forms; all that can be sent are the same.
    bool is_sent = type == JOIN_INNER || type == JOIN_LEFT || type == JOIN_FULL ||
                   type == JOIN_SEMI || type == JOIN_ANTI;
    if (!is_sent || find_table_path(joinrel) != nullptr || find_table_path(outer) == nullptr ||
        find_table_path(inner) == nullptr || !joins_plain_rows(root, joinrel))
        return;
    Candidate join = {root, joinrel, outer, inner, nullptr, NIL};
    if (make_source(&join, type, extra->restrictlist))
        add_join_scan(root, joinrel, outer, inner, join.source, join.local);
}

} // namespace

void init_remote_joins()
{
    previous_join_pathlist = set_join_pathlist_hook;
    set_join_pathlist_hook = shardwise_remote_join;
}

} // namespace shardwise
