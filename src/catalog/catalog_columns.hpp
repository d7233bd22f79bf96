// The numbers of the columns of the extension's tables, in the order in which
// sql/shardwise--0.1.sql has them.
#pragma once

#include "pg/pg.hpp"

namespace shardwise::column
{

constexpr AttrNumber shard_id = 1, shard_name = 2, shard_weight = 3, shard_is_local = 4;
constexpr AttrNumber keyspace_id = 1, keyspace_strategy = 2, keyspace_key_types = 3,
                     keyspace_key_collations = 4, keyspace_virtual_nodes = 5,
                     keyspace_default_shard = 6, keyspace_map_version = 7, keyspace_moved_by = 8,
                     keyspace_checks_keys = 9;
constexpr AttrNumber entry_keyspace = 1, entry_position = 2, entry_lower_hash = 3,
                     entry_lower_key = 4, entry_shard = 5;
constexpr int entry_columns = 5;
constexpr AttrNumber pin_keyspace = 1, pin_key = 2, pin_shard = 3;
constexpr AttrNumber distribution_relation = 1, distribution_keyspace = 2,
                     distribution_key_columns = 3, distribution_restored = 4;
constexpr AttrNumber ghost_keyspace = 1, ghost_shard = 2, ghost_lower_hash = 3,
                     ghost_upper_hash = 4, ghost_lower_key = 5, ghost_upper_key = 6,
                     ghost_pin_key = 7;
constexpr AttrNumber plan_topology = 6;
constexpr AttrNumber move_id = 1, move_plan = 2, move_position = 3, move_keyspace = 4,
                     move_source = 5, move_target = 6, move_state = 7, move_rows = 8,
                     move_bytes = 9, move_seconds = 10;
constexpr AttrNumber range_move = 1, range_ordinal = 2, range_kind = 3, range_lower_hash = 4,
                     range_upper_hash = 5, range_lower_key = 6, range_upper_key = 7,
                     range_pin_key = 8;
constexpr AttrNumber gate_move = 2;
constexpr AttrNumber shipped_object = 1; // of each of the tables of such objects
constexpr AttrNumber statistics_relation = 1, statistics_rows = 2, statistics_pages = 3,
                     statistics_analyzed = 4;
constexpr int statistics_columns = 4;

} // namespace shardwise::column
