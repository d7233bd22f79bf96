#include "planner/arbiter.hpp"

#include "pg/query_tree.hpp"

extern "C" {
#include "access/stratnum.h"
#include "nodes/pathnodes.h"
#include "optimizer/optimizer.h"
#include "optimizer/plancat.h"
#include "rewrite/rewriteManip.h"
#include "utils/lsyscache.h"
}

namespace shardwise
{

List *index_columns(Relation relation, Relation index, int varno)
{
    List *columns = NIL;
    List *expressions = RelationGetIndexExpressions(index);
    ListCell *expression = list_head(expressions);
    for (int i = 0; i < index->rd_index->indnkeyatts; i++) {
        AttrNumber attribute = index->rd_index->indkey.values[i];
        if (attribute != 0) {
            Form_pg_attribute column = TupleDescAttr(RelationGetDescr(relation), attribute - 1);
            columns = lappend(columns, makeVar(varno, attribute, column->atttypid,
                                               column->atttypmod, column->attcollation, 0));
            continue;
        }
        Node *expr = copy_node((Node *)lfirst(expression));
        ChangeVarNodes(expr, 1, varno, 0);
        columns = lappend(columns, expr);
        expression = lnext(expressions, expression);
    }
    return columns;
}

Node *index_predicate(Relation index, int varno)
{
    Node *predicate = make_conjunction(RelationGetIndexPredicate(index));
    ChangeVarNodes(predicate, 1, varno, 0);
    return predicate;
}

Oid find_arbiter(Query *insert)
{
    Query *parse = makeNode(Query);
    PlannerInfo *root = makeNode(PlannerInfo);
    *parse = *insert;
    OnConflictExpr *conflict = parse->onConflict = copy_node(insert->onConflict);
    conflict->arbiterElems =
        (List *)eval_const_expressions(nullptr, (Node *)conflict->arbiterElems);
    conflict->arbiterWhere =
        (Node *)make_ands_implicit((Expr *)eval_const_expressions(nullptr, conflict->arbiterWhere));
    root->parse = parse;
    return linitial_oid(infer_arbiter_indexes(root));
}

static bool may_be_null(Relation relation, Relation index, int column)
{
    AttrNumber attribute = index->rd_index->indkey.values[column];
    return attribute == 0 || !TupleDescAttr(RelationGetDescr(relation), attribute - 1)->attnotnull;
}

Node *match_index(Relation relation, Relation index, List *left, List *right)
{
    List *clauses = NIL;
    ListCell *l, *r;
    forboth (l, left, r, right) {
        int i = foreach_current_index(l);
        Oid type = index->rd_opcintype[i];
        Oid equal = get_opfamily_member(index->rd_opfamily[i], type, type, BTEqualStrategyNumber);
        OpExpr *clause =
            (OpExpr *)make_opclause(equal, BOOLOID, false, (Expr *)lfirst(l), (Expr *)lfirst(r),
                                    InvalidOid, index->rd_indcollation[i]);
        set_opfuncid(clause);
        if (index->rd_index->indnullsnotdistinct && may_be_null(relation, index, i)) {
            NodeSetTag(clause, T_DistinctExpr);
            clause = (OpExpr *)makeBoolExpr(NOT_EXPR, list_make1(clause), -1);
        }
        clauses = lappend(clauses, clause);
    }
    return make_conjunction(clauses);
}

} // namespace shardwise
