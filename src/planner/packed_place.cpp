#include "planner/packed_place.hpp"

#include "core/packed_place.hpp"
#include "pg/query_tree.hpp"
#include "planner/locked_rows.hpp"

extern "C" {
#include "parser/parse_func.h"
#include "utils/fmgroids.h"
}

namespace shardwise
{

namespace
{

Oid own_function(const char *name, int nargs, const Oid *types)
{
    List *qualified = list_make2(makeString(pstrdup("shardwise")), makeString(pstrdup(name)));
    return LookupFuncName(qualified, nargs, types, false);
}

Oid pack_function()
{
    Oid types[] = {CIDOID, TIDOID};
    return own_function("pack_place", 2, types);
}

Expr *join_texts(Expr *left, Expr *right)
{
    return make_call(F_TEXTCAT, TEXTOID, list_make2(left, right));
}

// '(block,offset)' and the offset made another one: PostgreSQL 15 has no functions for these.
Expr *change_offset(Expr *ctid, Oid function, Expr *operand)
{
    Expr *text = cast_by_text(ctid, TEXTOID);
    Expr *block = make_call(F_SPLIT_PART, TEXTOID, list_make3(text, make_text(","), make_int4(1)));
    Expr *rest =
        make_call(F_SPLIT_PART, TEXTOID, list_make3(copy_node(text), make_text(","), make_int4(2)));
    Expr *offset = cast_by_text(
        make_call(F_RTRIM_TEXT_TEXT, TEXTOID, list_make2(rest, make_text(")"))), INT4OID);
    Expr *changed = make_call(function, INT4OID, list_make2(offset, operand));
    Expr *end = join_texts(cast_by_text(changed, TEXTOID), make_text(")"));
    return cast_by_text(join_texts(join_texts(block, make_text(",")), end), TIDOID);
}

} // namespace

Expr *make_packed_place(const Var *ctid)
{
    Var *shard = copy_node(ctid);
    shard->varattno = shard->varattnosyn = shard_attribute;
    shard->vartype = CIDOID;
    return make_call(pack_function(), TIDOID, list_make2(shard, copy_node(ctid)));
}

Expr *make_unpacked_place(Expr *place)
{
    Oid type = TIDOID;
    return make_call(own_function("unpack_place", 1, &type), TIDOID, list_make1(place));
}

bool is_packed_place(const Node *node)
{
    const FuncExpr *call = (const FuncExpr *)node;
    return node != nullptr && IsA(node, FuncExpr) && call->funcid >= FirstNormalObjectId &&
           call->funcresulttype == TIDOID && list_length(call->args) == 2 &&
           IsA(lsecond(call->args), Var) && call->funcid == pack_function();
}

Var *ctid_of_place(const Node *place)
{
    return (Var *)lsecond(((const FuncExpr *)place)->args);
}

Node *translate_place(const Node *node)
{
    if (IsA(node, OpExpr)) {
        const OpExpr *clause = (const OpExpr *)node;
        if (list_length(clause->args) != 2 || !is_packed_place((Node *)linitial(clause->args)) ||
            !is_packed_place((Node *)lsecond(clause->args)))
            return nullptr;
        // Both are of this shard.
        OpExpr *own = copy_node(clause);
        own->args = list_make2(ctid_of_place((Node *)linitial(own->args)),
                               ctid_of_place((Node *)lsecond(own->args)));
        return (Node *)own;
    }
    if (!is_packed_place(node))
        return nullptr;
    Expr *shard = cast_by_text(
        cast_by_text((Expr *)make_parameter(shard_param_id, CIDOID), TEXTOID), INT4OID);
    Expr *high_bits =
        make_call(F_INT4SHL, INT4OID, list_make2(shard, make_int4(packed_offset_bits)));
    return (Node *)change_offset((Expr *)copy_node(ctid_of_place(node)), F_INT4PL, high_bits);
}

Node *is_at_own_part(const Var *ctid, Expr *place)
{
    Expr *own = change_offset(place, F_INT4AND, make_int4(own_offset_mask));
    return make_equality((Expr *)copy_node(ctid), own);
}

} // namespace shardwise
