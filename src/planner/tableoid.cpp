#include "planner/tableoid.hpp"

#include "pg/query_tree.hpp"
#include "routing/equality.hpp"

extern "C" {
#include "access/sysattr.h"
#include "catalog/pg_inherits.h"
#include "nodes/nodeFuncs.h"
#include "parser/parsetree.h"
#include "utils/typcache.h"
}

namespace shardwise
{

namespace
{

// The table whose tableoid a node is; nullptr for all others.
const RangeTblEntry *table_of_oid(const Node *node, List *queries)
{
    const Var *var = (const Var *)node;
    if (!IsA(node, Var) || var->varattno != TableOidAttributeNumber ||
        (int)var->varlevelsup >= list_length(queries))
        return nullptr;
    const Query *query = (const Query *)list_nth(queries, (int)var->varlevelsup);
    const RangeTblEntry *rte = rt_fetch(var->varno, query->rtable);
    return rte->rtekind == RTE_RELATION ? rte : nullptr;
}

Const *make_oid(Oid type, Oid value)
{
    return makeConst(type, -1, InvalidOid, sizeof(Oid), ObjectIdGetDatum(value), false, true);
}

// CASE WHEN tableoid = 'partition'::regclass THEN its Oid on the router ... END
Node *translate(const Var *var, Oid parent)
{
    Oid equality = lookup_type_cache(OIDOID, TYPECACHE_EQ_OPR)->eq_opr;
    List *whens = NIL;
    ListCell *cell;
    foreach (cell, find_all_inheritors(parent, AccessShareLock, nullptr)) {
        Oid partition = lfirst_oid(cell);
        if (get_rel_relkind(partition) == RELKIND_PARTITIONED_TABLE)
            continue;
        Expr *name = (Expr *)makeRelabelType((Expr *)make_oid(REGCLASSOID, partition), OIDOID, -1,
                                             InvalidOid, COERCE_EXPLICIT_CAST);
        OpExpr *test = (OpExpr *)make_opclause(equality, BOOLOID, false, (Expr *)copy_node(var),
                                               name, InvalidOid, InvalidOid);
        set_opfuncid(test);
        whens = lappend(whens, make_when((Node *)test, (Expr *)make_oid(OIDOID, partition)));
    }
    Expr *none = (Expr *)makeNullConst(OIDOID, -1, InvalidOid);
    return (Node *)(whens != NIL ? make_case(whens, none) : none);
}

// True if an outer join of the column's level can make it NULL.
bool can_be_missing(const Var *var, List *queries)
{
    Query *level = (Query *)list_nth(queries, (int)var->varlevelsup);
    return bms_is_member(var->varno, nullable_relations(level));
}

// The Oid of a table without partitions; on a side that an outer join fills up, of its rows alone.
Node *oid_of_rows(const Var *var, Oid table, List *queries)
{
    Node *oid = (Node *)make_oid(OIDOID, table);
    if (!can_be_missing(var, queries))
        return oid;
    Expr *exists = make_null_test((Expr *)copy_node(var), IS_NOT_NULL);
    return (Node *)make_case((Node *)exists, (Expr *)oid,
                             (Expr *)makeNullConst(OIDOID, -1, InvalidOid));
}

struct Replacing {
    List *queries; // innermost first
    bool of_partitions;
};

Node *replace_mutator(Node *node, void *context)
{
    Replacing *replacing = (Replacing *)context;
    if (node == nullptr)
        return nullptr;
    if (IsA(node, Query)) {
        Replacing inner = {prepend(node, replacing->queries), replacing->of_partitions};
        return (Node *)query_tree_mutator((Query *)node, (Node * (*)()) replace_mutator, &inner, 0);
    }
    const RangeTblEntry *rte = table_of_oid(node, replacing->queries);
    if (rte != nullptr && rte->relkind != RELKIND_PARTITIONED_TABLE)
        return oid_of_rows((const Var *)node, rte->relid, replacing->queries);
    if (rte != nullptr && replacing->of_partitions)
        return translate((Var *)node, rte->relid);
    return expression_tree_mutator(node, (Node * (*)()) replace_mutator, context);
}

} // namespace

Node *replace_tableoid(Node *node, List *queries)
{
    Replacing replacing = {queries, false};
    return replace_mutator(node, &replacing);
}

Node *translate_tableoid(Node *node, List *queries)
{
    Replacing replacing = {queries, true};
    return replace_mutator(node, &replacing);
}

bool is_partition_oid(const Node *node, List *queries)
{
    const RangeTblEntry *rte = table_of_oid(node, queries);
    return rte != nullptr && rte->relkind == RELKIND_PARTITIONED_TABLE;
}

} // namespace shardwise
