#include "planner/shard_statement.hpp"

#include "pg/deparse.hpp"
#include "planner/ghost_filter.hpp"

namespace shardwise
{

namespace
{

// The values of a route's parameters.
struct Binding {
    const Oid *types;
    const Datum *values;
    const bool *nulls;
};

Const *make_value(const Binding *binding, const Param *param)
{
    int i = param->paramid - 1;
    Oid type = param->paramtype;
    Datum value = binding->values[i];
    if (!binding->nulls[i] && type == TEXTOID && binding->types[i] != TEXTOID) {
        // A type of the user's travels as text.
        Oid output;
        bool is_varlena;
        getTypeOutputInfo(binding->types[i], &output, &is_varlena);
        value = CStringGetTextDatum(OidOutputFunctionCall(output, value));
    }
    int16 length;
    bool by_value;
    get_typlenbyval(type, &length, &by_value);
    return makeConst(type, param->paramtypmod, param->paramcollid, length,
                     binding->nulls[i] ? (Datum)0 : value, binding->nulls[i], by_value);
}

Node *bind_mutator(Node *node, void *context)
{
    if (node == nullptr)
        return nullptr;
    if (IsA(node, Query))
        return (Node *)query_tree_mutator((Query *)node, (Node * (*)()) bind_mutator, context, 0);
    if (IsA(node, Param) && ((Param *)node)->paramkind == PARAM_EXTERN)
        return (Node *)make_value((const Binding *)context, (Param *)node);
    return expression_tree_mutator(node, (Node * (*)()) bind_mutator, context);
}

// Decided when the statement runs: then the owners and the ghosts are of one version of the map.
bool hides_rows(const Route *route, int32 shard_id, MapUse use)
{
    return goes_to_many(route) && route->keyspace_id != 0 &&
           has_ghosts(find_keyspace_for(route->keyspace_id, use), shard_id);
}

} // namespace

ShardStatement statement_for_shard(const Route *route, int32 shard_id, MapUse use)
{
    if (hides_rows(route, shard_id, use)) {
        Query *query = copy_node(route->query);
        if (hide_ghosts(query, shard_id, use))
            return {deparse_query(query), 0};
    }
    return {route->sql, route->statement_id};
}

const char *bound_statement_for_shard(const Route *route, int32 shard_id, MapUse use,
                                      const Oid *types, const Datum *values, const bool *nulls)
{
    bool hides = hides_rows(route, shard_id, use);
    if (!hides && route->nparams == 0)
        return route->sql;
    Query *query = copy_node(route->query);
    Binding binding = {types, values, nulls};
    if (route->nparams > 0)
        query = (Query *)bind_mutator((Node *)query, &binding);
    if (hides)
        (void)hide_ghosts(query, shard_id, use);
    return deparse_query(query);
}

const char *bulk_statement_for_shard(const Route *route, int32 shard_id, MapUse use,
                                     const Oid *types, const Datum *values, const bool *nulls)
{
    return psprintf("COPY (%s) TO STDOUT (FORMAT binary)",
                    bound_statement_for_shard(route, shard_id, use, types, values, nulls));
}

} // namespace shardwise
