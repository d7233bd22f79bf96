#include "pg/query_tree.hpp"

namespace shardwise
{

Node *make_conjunction(List *clauses)
{
    if (clauses == NIL)
        return nullptr;
    return list_length(clauses) == 1 ? (Node *)linitial(clauses)
                                     : (Node *)makeBoolExpr(AND_EXPR, clauses, -1);
}

Const *make_int8(int64 value)
{
    return makeConst(INT8OID, -1, InvalidOid, sizeof(int64), Int64GetDatum(value), false, true);
}

Query *make_select_from(RangeTblEntry *source, Node *quals)
{
    Query *query = makeNode(Query);
    query->commandType = CMD_SELECT;
    query->querySource = QSRC_ORIGINAL;
    query->rtable = list_make1(source);
    RangeTblRef *reference = makeNode(RangeTblRef);
    reference->rtindex = 1;
    query->jointree = makeFromExpr(list_make1(reference), quals);
    return query;
}

} // namespace shardwise
