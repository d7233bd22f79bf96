#include "planner/ghost_filter.hpp"

#include "catalog/catalog.hpp"
#include "pg/names.hpp"
#include "pg/query_tree.hpp"

extern "C" {
#include "parser/parse_clause.h"
#include "parser/parse_collate.h"
#include "parser/parse_relation.h"
#include "parser/parser.h"
#include "parser/parsetree.h"
#include "rewrite/rewriteManip.h"
}

namespace shardwise
{

namespace
{

struct Hiding {
    int32 shard;
    MapUse use;
    bool found;
};

// Turns SQL over a table's bare column names into an expression over entry `varno`.
Node *parse_condition(Relation relation, const char *sql, int varno)
{
    int path = begin_catalog_path();
    RawStmt *raw = (RawStmt *)linitial(raw_parser(sql, RAW_PARSE_PLPGSQL_EXPR));
    Node *tree = (Node *)((ResTarget *)linitial(((SelectStmt *)raw->stmt)->targetList))->val;

    ParseState *parse = make_parsestate(nullptr);
    ParseNamespaceItem *item =
        addRangeTableEntryForRelation(parse, relation, AccessShareLock, nullptr, false, true);
    addNSItemToQuery(parse, item, false, true, true);
    Node *condition = transformWhereClause(parse, tree, EXPR_KIND_WHERE, "WHERE");
    assign_expr_collations(parse, condition);
    free_parsestate(parse);
    end_catalog_path(path);
    ChangeVarNodes(condition, 1, varno, 0);
    return condition;
}

// The condition for one entry of a range table; nullptr where nothing is to be hidden.
Node *ghost_condition(const RangeTblEntry *rte, int varno, const Hiding *hiding)
{
    const Table *table = rte->rtekind == RTE_RELATION ? find_table(rte->relid) : nullptr;
    if (table == nullptr || table->is_reference)
        return nullptr;
    const Keyspace *keyspace = find_keyspace_for(table->keyspace->id, hiding->use);
    char *sql = ghost_filter_sql(table, keyspace, hiding->shard);
    if (sql == nullptr)
        return nullptr;
    Relation relation = table_open(rte->relid, NoLock);
    Node *condition = parse_condition(relation, sql, varno);
    table_close(relation, NoLock);
    return condition;
}

void add_condition(Node **quals, Node *condition)
{
    *quals = *quals == nullptr ? condition : make_conjunction(list_make2(*quals, condition));
}

// ---- a place for the condition -----------------------------------------------------------------

// (table JOIN (SELECT) ON condition): the table's columns, hidden ones included, stay what they
// are. Dropped columns keep their numbers.
Node *join_with_nothing(Query *query, int varno, Node *condition)
{
    RangeTblEntry *table = rt_fetch(varno, query->rtable);
    RangeTblEntry *nothing = makeNode(RangeTblEntry);
    nothing->rtekind = RTE_SUBQUERY;
    nothing->subquery = makeNode(Query);
    nothing->subquery->commandType = CMD_SELECT;
    nothing->subquery->jointree = makeFromExpr(NIL, nullptr);
    nothing->alias = makeAlias("nothing", NIL);
    nothing->eref = makeAlias("nothing", NIL);
    nothing->inFromCl = true;
    query->rtable = lappend(query->rtable, nothing);
    int nothing_varno = list_length(query->rtable);

    RangeTblEntry *join = makeNode(RangeTblEntry);
    join->rtekind = RTE_JOIN;
    join->jointype = JOIN_INNER;
    join->eref = makeAlias("unnamed_join", NIL);
    join->inFromCl = true;
    for (int column = 1; column <= list_length(table->eref->colnames); column++) {
        join->eref->colnames = lappend(
            join->eref->colnames, copy_node((String *)list_nth(table->eref->colnames, column - 1)));
        Node *var = nullptr;
        if (!get_rte_attribute_is_dropped(table, column)) {
            Oid type, collation;
            int32 typmod;
            get_atttypetypmodcoll(table->relid, column, &type, &typmod, &collation);
            var = (Node *)makeVar(varno, column, type, typmod, collation, 0);
        }
        join->joinaliasvars = lappend(join->joinaliasvars, var);
        join->joinleftcols = lappend_int(join->joinleftcols, column);
    }
    query->rtable = lappend(query->rtable, join);

    JoinExpr *expr = makeNode(JoinExpr);
    expr->jointype = JOIN_INNER;
    expr->larg = make_reference(varno);
    expr->rarg = make_reference(nothing_varno);
    expr->quals = condition;
    expr->rtindex = list_length(query->rtable);
    return (Node *)expr;
}

int varno_of(const Node *side)
{
    return IsA(side, RangeTblRef) ? ((const RangeTblRef *)side)->rtindex
                                  : ((const JoinExpr *)side)->rtindex;
}

// Moves a join's entry to the end of the range table, behind those of its sides: deparsing names
// columns in that order.
void renumber_join(Query *query, JoinExpr *join)
{
    query->rtable = lappend(query->rtable, rt_fetch(join->rtindex, query->rtable));
    RangeTblEntry *nothing = makeNode(RangeTblEntry);
    nothing->rtekind = RTE_RESULT;
    nothing->eref = makeAlias("nothing", NIL);
    lfirst(list_nth_cell(query->rtable, join->rtindex - 1)) = nothing;
    ChangeVarNodes((Node *)query, join->rtindex, list_length(query->rtable), 0);
}

// Puts the condition where it restricts the table before anything joins it. `quals` is the nearest
// place above that does so; nullptr where there is none.
bool place_condition(Query *query, Node **node, int varno, Node *condition, Node **quals)
{
    if (IsA(*node, RangeTblRef)) {
        if (((RangeTblRef *)*node)->rtindex != varno)
            return false;
        if (quals != nullptr)
            add_condition(quals, condition);
        else
            *node = join_with_nothing(query, varno, condition);
        return true;
    }
    if (IsA(*node, FromExpr)) {
        FromExpr *from = (FromExpr *)*node;
        ListCell *cell;
        foreach (cell, from->fromlist)
            if (place_condition(query, (Node **)&lfirst(cell), varno, condition, &from->quals))
                return true;
        return false;
    }
    JoinExpr *join = (JoinExpr *)*node;
    // USING is printed in place of the conditions.
    Node **own = join->usingClause == NIL && !join->isNatural ? &join->quals : nullptr;
    Node **left = quals, **right = quals;
    if (join->jointype == JOIN_INNER)
        left = right = own != nullptr ? own : quals;
    else if (join->jointype == JOIN_LEFT)
        right = own;
    else if (join->jointype == JOIN_RIGHT)
        left = own;
    else
        left = right = nullptr;
    if (!place_condition(query, &join->larg, varno, condition, left) &&
        !place_condition(query, &join->rarg, varno, condition, right))
        return false;
    if (Max(varno_of(join->larg), varno_of(join->rarg)) > join->rtindex)
        renumber_join(query, join);
    return true;
}

bool hide_walker(Node *node, void *context);

void hide_in_level(Query *query, Hiding *hiding)
{
    int entries = list_length(query->rtable);
    for (int varno = 1; varno <= entries; varno++) {
        bool is_target = varno == query->resultRelation;
        if (is_target && query->commandType != CMD_UPDATE && query->commandType != CMD_DELETE)
            continue;
        Node *condition = ghost_condition(rt_fetch(varno, query->rtable), varno, hiding);
        if (condition == nullptr)
            continue;
        hiding->found = true;
        if (is_target)
            add_condition(&query->jointree->quals, condition);
        else // an entry that is not in FROM (a view's own) has no rows
            (void)place_condition(query, (Node **)&query->jointree, varno, condition, nullptr);
    }
    query_tree_walker(query, (bool (*)())hide_walker, hiding, 0);
}

bool hide_walker(Node *node, void *context)
{
    if (node == nullptr)
        return false;
    if (IsA(node, Query)) {
        hide_in_level((Query *)node, (Hiding *)context);
        return false;
    }
    return expression_tree_walker(node, (bool (*)())hide_walker, context);
}

} // namespace

bool hide_ghosts(Query *query, int32 shard_id, MapUse use)
{
    Hiding hiding = {shard_id, use, false};
    hide_in_level(query, &hiding);
    return hiding.found;
}

} // namespace shardwise
