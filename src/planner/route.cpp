#include "planner/route.hpp"

namespace shardwise
{

static constexpr const char *node_name = "ShardwiseRoute";

// Parts of routes, freed with the last of the routes' memory contexts.
struct SharedParts {
    MemoryContext context;
    int references;
};

extern "C" {
#include "catalog/pg_proc.h"
static void release_parts(void *argument)
{
    SharedParts *parts = (SharedParts *)argument;
    if (--parts->references == 0)
        MemoryContextDelete(parts->context);
}
}

// The route is in the current memory context.
static void refer_to(SharedParts *parts)
{
    MemoryContextCallback *callback =
        (MemoryContextCallback *)palloc(sizeof(MemoryContextCallback));
    callback->func = release_parts;
    callback->arg = parts;
    MemoryContextRegisterResetCallback(CurrentMemoryContext, callback);
    parts->references++;
}

static void copy_parts(Route *to, const Route *from)
{
    to->sql = pstrdup(from->sql);
    to->query = copy_node(from->query);
    to->param_types = copy_array(from->param_types, from->nparams);
    to->pins = copy_array(from->pins, from->npins);
    to->sort = copy_array(from->sort, from->nsort);
    to->checks = copy_node(from->checks);
    to->functions = list_copy(from->functions);
    to->locked_references = list_copy(from->locked_references);
}

static void copy_route(ExtensibleNode *to_node, const ExtensibleNode *from_node)
{
    Route *to = (Route *)to_node;
    const Route *from = (const Route *)from_node;
    ExtensibleNode header = to->node;

    *to = *from;
    to->node = header;
    if (to->shared != nullptr)
        refer_to(to->shared);
    else
        copy_parts(to, from);
}

bool is_route_scan(const Plan *plan)
{
    return IsA(plan, CustomScan) &&
           strcmp(((const CustomScan *)plan)->methods->CustomName, route_scan_name) == 0;
}

bool only_reads(const Route *route)
{
    ListCell *cell;
    foreach (cell, route->functions)
        if (func_volatile(lfirst_oid(cell)) == PROVOLATILE_VOLATILE)
            return false;
    return !route->writes;
}

void share_parts(Route *route)
{
    MemoryContext context =
        AllocSetContextCreate(CacheMemoryContext, "shardwise route", ALLOCSET_SMALL_SIZES);
    MemoryContext saved = MemoryContextSwitchTo(context);
    SharedParts *parts = (SharedParts *)palloc0(sizeof(SharedParts));
    parts->context = context;
    copy_parts(route, route);
    MemoryContextSwitchTo(saved);
    route->shared = parts;
    refer_to(parts);
}

static bool routes_equal(const ExtensibleNode *a_node, const ExtensibleNode *b_node)
{
    return ((const Route *)a_node)->statement_id == ((const Route *)b_node)->statement_id;
}

// For debug_print_plan only.
static void out_route(StringInfo out, const ExtensibleNode *node)
{
    const Route *route = (const Route *)node;
    appendStringInfo(out, " :statement_id " UINT64_FORMAT " :nparams %d :npins %d",
                     route->statement_id, route->nparams, route->npins);
}

static void read_route(ExtensibleNode *)
{
    // Plans are read back only in parallel workers, which never run a route.
    elog(ERROR, "cannot read a %s node", node_name);
}

static const ExtensibleNodeMethods methods = {node_name,    sizeof(Route), copy_route,
                                              routes_equal, out_route,     read_route};

Route *make_route()
{
    Route *route = (Route *)palloc0(sizeof(Route));
    route->node.type = T_ExtensibleNode;
    route->node.extnodename = node_name;
    return route;
}

void init_route()
{
    RegisterExtensibleNodeMethods(&methods);
}

} // namespace shardwise
