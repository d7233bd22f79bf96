// Makes plans: from what SQL asks for to rows of plan and move.
#pragma once

#include "pg/pg.hpp"
#include "reshard/plan_space.hpp"

namespace shardwise
{

// A plan that is being made: its moves, of one keyspace after the other.
struct PlanDraft {
    const char *kind;
    const char *description;
    List *moves; // of Move *
};

// Adds the moves that pieces make.
void add_pieces(PlanDraft *draft, const PlanSpace *space, Piece *pieces, size_t count);

// Adds a move of one key, which becomes (or ceases to be) a pin. Keys are in the catalog's form.
void add_pin(PlanDraft *draft, const Keyspace *keyspace, ArrayType *key, int32 source, int32 target,
             Estimate estimate);

// Each adds what one keyspace contributes.
void draft_join(PlanDraft *draft, const Keyspace *keyspace, const Shard *newcomer);
void draft_drain(PlanDraft *draft, const Keyspace *keyspace, const Shard *leaving);
void draft_balance(PlanDraft *draft, const Keyspace *keyspace, Placement placement, SizeUnit unit,
                   double threshold);

// Writes the plan and returns its number; says so if there is nothing to move.
int32 write_plan(PlanDraft *draft);

// Hash of the part of the catalog that decides a plan: maps, pins and owners' names of the
// keyspaces. Ranges that were only cut or joined hash alike.
int64 topology_hash(const List *keyspace_ids);

// The keyspaces of a plan's moves, in ascending order.
List *list_keyspaces_of(const List *moves);

// Errors unless the current user may plan for these tables: their owner, or an administrator of
// shards (USAGE on foreign data wrapper shardwise).
void require_plan_privilege(const List *relids);

// Numbers of all keyspaces, ascending.
List *list_keyspace_ids();

} // namespace shardwise
