#include "planner/normalize.hpp"

#include "pg/versions.hpp"

namespace shardwise
{

namespace
{

// More than this many constants (a long VALUES list) would not be sent as parameters: the
// protocol's limit is 65,535, and such texts hardly repeat.
constexpr int max_constants = 1000;

struct Normalizer {
    uint64 hash;
    List *constants;
    bool keep;   // constants met now are part of the statement's shape
    bool shares; // equal constants become one Param
};

void mix(Normalizer *state, uint64 value)
{
    state->hash = (state->hash ^ value) * UINT64CONST(0x9E3779B97F4A7C15);
    state->hash ^= state->hash >> 29;
}

bool walk(Node *node, void *context);

void walk_keeping(Node *node, Normalizer *state, bool keep)
{
    bool saved = state->keep;
    state->keep = state->keep || keep;
    walk(node, state);
    state->keep = saved;
}

// Types whose values travel as parameters of the same OID on every PostgreSQL. Booleans stay: they
// are few, and `WHERE true` is better planned than `WHERE $1`.
bool travels_as_parameter(Oid type)
{
    switch (type) {
    case INT2OID:
    case INT4OID:
    case INT8OID:
    case FLOAT4OID:
    case FLOAT8OID:
    case NUMERICOID:
    case TEXTOID:
    case VARCHAROID:
    case BPCHAROID:
    case NAMEOID:
    case DATEOID:
    case TIMEOID:
    case TIMESTAMPOID:
    case TIMESTAMPTZOID:
    case INTERVALOID:
    case UUIDOID:
    case BYTEAOID:
    case JSONOID:
    case JSONBOID:
    case INT4ARRAYOID:
    case INT8ARRAYOID:
    case TEXTARRAYOID:
        return true;
    default:
        return false;
    }
}

// The number of an equal constant, or the next one.
int find_constant(List *constants, const Const *constant)
{
    ListCell *cell;
    foreach (cell, constants)
        if (equal(lfirst(cell), constant))
            return foreach_current_index(cell);
    return list_length(constants);
}

void normalize_constant(Const *constant, Normalizer *state)
{
    mix(state, constant->consttype);
    if (state->keep || constant->constisnull || !travels_as_parameter(constant->consttype) ||
        list_length(state->constants) >= max_constants) {
        if (constant->constbyval && !constant->constisnull)
            mix(state, constant->constvalue);
        return;
    }

    // The node itself becomes the Param, which saves a copy of the tree.
    static_assert(sizeof(Param) <= sizeof(Const));
    Const *taken = (Const *)palloc(sizeof(Const));
    *taken = *constant;

    int number = list_length(state->constants);
    if (state->shares)
        number = find_constant(state->constants, taken);
    if (number == list_length(state->constants))
        state->constants = lappend(state->constants, taken);

    Param *param = (Param *)constant;
    param->xpr.type = T_Param;
    param->paramkind = PARAM_EXTERN;
    param->paramid = constant_param_base + number;
    param->paramtype = taken->consttype;
    param->paramtypmod = taken->consttypmod;
    param->paramcollid = taken->constcollid;
    param->location = -1;
}

void walk_function(FuncExpr *function, Normalizer *state)
{
    mix(state, function->funcid);
    // EXTRACT(year FROM ...) and its like print their constants as keywords.
    if (function->funcformat == COERCE_SQL_SYNTAX) {
        walk_keeping((Node *)function->args, state, true);
        return;
    }
    ListCell *cell;
    foreach (cell, function->args) {
        // A cast's further arguments are its type modifier.
        bool modifier =
            function->funcformat != COERCE_EXPLICIT_CALL && foreach_current_index(cell) > 0;
        walk_keeping((Node *)lfirst(cell), state, modifier);
    }
}

void walk_relation(RangeTblEntry *rte, Normalizer *state)
{
    mix(state, rte->rtekind);
    mix(state, rte->relid);
    ListCell *cell;
    switch (rte->rtekind) {
    case RTE_SUBQUERY:
        walk((Node *)rte->subquery, state);
        break;
    case RTE_FUNCTION:
        foreach (cell, rte->functions)
            walk(((RangeTblFunction *)lfirst(cell))->funcexpr, state);
        break;
    case RTE_VALUES:
        walk((Node *)rte->values_lists, state);
        break;
    default:
        break;
    }
    walk((Node *)rte->securityQuals, state);
}

void walk_query(Query *query, Normalizer *state)
{
    // A grouped query's expressions must stay recognisable as its group keys.
    bool grouped = query->groupClause != NIL || query->groupingSets != NIL;
    ListCell *cell;

    mix(state, query->commandType);
    foreach (cell, query->cteList)
        walk(((CommonTableExpr *)lfirst(cell))->ctequery, state);
    foreach (cell, query->rtable)
        walk_relation((RangeTblEntry *)lfirst(cell), state);
    walk_keeping((Node *)query->targetList, state, grouped);
    walk((Node *)query->jointree, state);
    if (query->onConflict != nullptr) {
        walk((Node *)query->onConflict->onConflictSet, state);
        walk(query->onConflict->onConflictWhere, state);
    }
    walk((Node *)query->returningList, state);
    walk_keeping(query->havingQual, state, grouped);
    // The shard plans better when it sees the LIMIT.
    walk_keeping(query->limitOffset, state, true);
    walk_keeping(query->limitCount, state, true);
    // A policy's own constants are the same in every statement, and in each of its checks.
    foreach (cell, query->withCheckOptions)
        walk_keeping(((WithCheckOption *)lfirst(cell))->qual, state, true);
}

bool walk(Node *node, void *context)
{
    Normalizer *state = (Normalizer *)context;
    if (node == nullptr)
        return false;
    mix(state, nodeTag(node));
    switch (nodeTag(node)) {
    case T_Const:
        normalize_constant((Const *)node, state);
        return false;
    case T_Param:
        mix(state, ((Param *)node)->paramid);
        return false;
    case T_Var:
        mix(state, ((uint64)((Var *)node)->varno << 32) ^
                       ((uint64)returned_version((Var *)node) << 16) ^
                       (uint16)((Var *)node)->varattno);
        return false;
    case T_OpExpr:
        mix(state, ((OpExpr *)node)->opno);
        break;
    case T_FuncExpr:
        walk_function((FuncExpr *)node, state);
        return false;
    case T_Aggref:
        mix(state, ((Aggref *)node)->aggfnoid);
        walk_keeping((Node *)((Aggref *)node)->aggdirectargs, state, true);
        walk((Node *)((Aggref *)node)->args, state);
        walk((Node *)((Aggref *)node)->aggfilter, state);
        return false;
    case T_RangeTblRef:
        mix(state, ((RangeTblRef *)node)->rtindex);
        return false;
    case T_Query:
        walk_query((Query *)node, state);
        return false;
    default:
        break;
    }
    return expression_tree_walker(node, (bool (*)())walk, context);
}

} // namespace

NormalizedQuery normalize_query(Query *query)
{
    // UPDATE t SET key = 7 ... WHERE key = 7 leaves the key as it is, which is to be seen later.
    bool shares = query->commandType == CMD_UPDATE;
    Normalizer state = {UINT64CONST(0x243F6A8885A308D3), NIL, false, shares};
    walk((Node *)query, &state);
    return {state.hash, state.constants};
}

static bool holds_walker(Node *node, void *)
{
    if (node == nullptr)
        return false;
    if (IsA(node, Query))
        return query_tree_walker((Query *)node, (bool (*)())holds_walker, nullptr, 0);
    if (IsA(node, Param)) {
        int number = ((Param *)node)->paramid - constant_param_base;
        return number >= 0 && number < max_constants;
    }
    return expression_tree_walker(node, (bool (*)())holds_walker, nullptr);
}

bool holds_taken_constants(Node *node)
{
    return holds_walker(node, nullptr);
}

static Node *restore_mutator(Node *node, void *context)
{
    List *constants = (List *)context;
    if (node == nullptr)
        return nullptr;
    if (IsA(node, Query))
        return (Node *)query_tree_mutator((Query *)node, (Node * (*)()) restore_mutator, context,
                                          0);
    if (IsA(node, Param) && ((Param *)node)->paramid >= constant_param_base) {
        // A node for each place: the next normalization turns them into Params one by one.
        Const *own = makeNode(Const);
        *own = *(Const *)list_nth(constants, ((Param *)node)->paramid - constant_param_base);
        return (Node *)own;
    }
    return expression_tree_mutator(node, (Node * (*)()) restore_mutator, context);
}

Node *restore_constants(Node *node, List *constants)
{
    return restore_mutator(node, constants);
}

} // namespace shardwise
