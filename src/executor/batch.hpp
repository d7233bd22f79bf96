// Rows on their way to one shard (or all of them), by one statement that takes many.
#pragma once

#include "pg/pg.hpp"
#include "executor/values.hpp"
#include "planner/modify_plan.hpp"

extern "C" {
#include "utils/tuplestore.h"
}

namespace shardwise
{

// One statement of a plan while it runs, with its batches.
struct BatchRunner;

// Where the statement's outcome goes.
struct BatchOutcome {
    Tuplestorestate *rows; // of RETURNING; nullptr: not wanted
    TupleTableSlot *slot;  // for them
    uint64 changed;        // rows that shards changed
};

// Which of the user's triggers on INSERT, UPDATE and DELETE do not fire on the shard.
enum class Silence { None, BeforeInsert, Statement, All };

// Prepares a statement. `values` are those of its parameters that are the same for all rows,
// `types` the types of the source's columns, among which `copies` tell a row's places. Memory is
// taken from the current context.
BatchRunner *make_batch_runner(const BatchStatement *statement, const Oid *value_types,
                               const Datum *values, const bool *nulls, const Oid *types,
                               const CopyColumns *copies, BatchOutcome *outcome);

// Adds a row for a shard, or for all shards (0). True if the batch is full and should be sent.
bool add_to_batch(BatchRunner *runner, int32 shard, const Datum *values, const bool *nulls,
                  Silence silence = Silence::None);

// Sends the rows of all batches, without waiting. What was sent before is awaited.
void send_batches(BatchRunner *runner);

// Waits for all that was sent. Raises the shards' errors; 0A000 if they changed fewer rows than
// they got and `expects_all`.
void finish_batches(BatchRunner *runner, bool expects_all);

// Adds the shards (int) that got rows to a list; 0 stands for all.
List *add_written_shards(List *shards, const BatchRunner *runner);

} // namespace shardwise
