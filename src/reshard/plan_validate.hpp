// What validate_plan() is made of. Private to the room.
#pragma once

#include "catalog/moves.hpp"
#include "remote/session.hpp"

namespace shardwise
{

// The rows that are found.
struct Findings {
    ReturnSetInfo *out;
};

// A shard that the plan uses.
struct PlanShard {
    int32 id;
    const char *name;
    Session *session; // nullptr: it does not answer
    bool is_target;
    double bytes_in;
};

// A keyspace's tables between one source and one target: what the trials are made of.
struct Route {
    const Move *move; // the first of its kind
    PlanShard *source;
    PlanShard *target;
};

struct Validation {
    Findings findings;
    List *moves;  // of Move *
    List *shards; // of PlanShard *
    List *routes; // of Route *
};

// Adds a row: severity error, warning or info; the check; what is wrong, and what to do.
void add_finding(Findings *, const char *severity, const char *check, const char *detail);

// What a shard's server says of itself: settings, privileges, what is in the way.
void check_server(Validation *, const PlanShard *);

// What source and target must agree on for tables of a keyspace (oids), and whether the source
// publishes them.
void check_schema(Validation *, const Route *, const List *tables);
void check_publication(Validation *, const Route *, const List *tables);

// Lets one shard connect to the other, as a subscription would.
void check_connection(Validation *, const PlanShard *from, const PlanShard *to);

} // namespace shardwise
