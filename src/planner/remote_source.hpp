// What a statement that scans shards reads: one table, or a join of several that each shard can
// compute for itself.
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "nodes/pathnodes.h"
}

namespace shardwise
{

// Conditions are those of the planner, over the entries of its own range table.
struct RemoteSource {
    Index varno;   // of a table; 0: a join
    JoinType type; // of a join: INNER, LEFT, FULL, SEMI or ANTI
    const RemoteSource *left;
    const RemoteSource *right; // of SEMI and ANTI it is only asked whether there is a row
    List *partner_clauses;     // of a join: which rows are partners
    List *clauses;             // what all rows satisfy besides
    bool is_distributed;       // some table of it is; else every shard has all rows
    Index min_security;        // levels of security of all conditions (RestrictInfo): the lowest
    Index leaky_security;      // the highest whose conditions could tell of a row
};

// Makes the source of a table; `infos` are the conditions that its shards apply.
RemoteSource *make_table_source(const RelOptInfo *rel, List *infos);

// Counts conditions' levels of security in.
void note_security(RemoteSource *source, List *infos);

// SELECT columns FROM source WHERE its conditions AND clauses, as a query tree of its own.
Query *make_source_query(PlannerInfo *root, const RemoteSource *source, List *columns,
                         List *clauses);

} // namespace shardwise
