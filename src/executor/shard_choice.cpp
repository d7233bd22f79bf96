#include "executor/shard_choice.hpp"

extern "C" {
#include "catalog/pg_type_d.h"
}

namespace shardwise
{

namespace
{

struct Choice {
    const Route *route;
    const Datum *values;
    const bool *nulls;
    bool is_insert;
    int32 shard; // 0: none yet
};

[[noreturn]] void refuse_two_shards(int32 a, int32 b)
{
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("statement cannot be routed to a single shard"),
                    errdetail("Its keys are on shards \"%s\" and \"%s\".",
                              NameStr(find_shard(a)->name), NameStr(find_shard(b)->name))));
}

[[noreturn]] void refuse_unowned_key()
{
    ereport(ERROR, (errcode(ERRCODE_CHECK_VIOLATION), errmsg("no shard owns the key of this row"),
                    errhint("Add the key to the shard map, or give the table a default shard.")));
}

void note_owner(Choice *choice, int32 owner)
{
    if (owner == 0 && choice->is_insert)
        refuse_unowned_key();
    if (owner == 0 || owner == choice->shard)
        return;
    if (choice->shard != 0)
        refuse_two_shards(choice->shard, owner);
    choice->shard = owner;
}

int64 integer_value(Oid type, Datum value)
{
    switch (type) {
    case INT2OID:
        return DatumGetInt16(value);
    case INT4OID:
        return DatumGetInt32(value);
    default:
        return DatumGetInt64(value);
    }
}

bool is_integer(Oid type)
{
    return type == INT2OID || type == INT4OID || type == INT8OID;
}

// Converts a compared value to the key's type. False if no key can be equal to it.
bool convert_to_key(Oid from, Oid to, Datum *value)
{
    if (from == to || !is_integer(from) || !is_integer(to))
        return true; // binary compatible, as the planner made sure
    int64 number = integer_value(from, *value);
    if (to == INT2OID) {
        *value = Int16GetDatum((int16) number);
        return number >= PG_INT16_MIN && number <= PG_INT16_MAX;
    }
    if (to == INT4OID) {
        *value = Int32GetDatum((int32) number);
        return number >= PG_INT32_MIN && number <= PG_INT32_MAX;
    }
    *value = Int64GetDatum(number);
    return true;
}

void visit_keys(Choice *choice, const Keyspace *keyspace, const KeyPin *pin, int column, Datum *key);

void visit_value(Choice *choice, const Keyspace *keyspace, const KeyPin *pin, int column,
                 Datum *key, Datum value)
{
    key[column] = value;
    if (convert_to_key(pin->value_types[column], getBaseType(keyspace->key_types[column]),
                       &key[column]))
        visit_keys(choice, keyspace, pin, column + 1, key);
}

void visit_array(Choice *choice, const Keyspace *keyspace, const KeyPin *pin, int column,
                 Datum *key, Datum array_value)
{
    ArrayType *array = DatumGetArrayTypeP(array_value);
    Datum *elements;
    bool *nulls;
    int n;
    int16 length;
    bool by_value;
    char alignment;
    get_typlenbyvalalign(ARR_ELEMTYPE(array), &length, &by_value, &alignment);
    deconstruct_array(array, ARR_ELEMTYPE(array), length, by_value, alignment, &elements, &nulls,
                      &n);
    for (int i = 0; i < n; i++)
        if (!nulls[i])
            visit_value(choice, keyspace, pin, column, key, elements[i]);
}

// Visits every combination of the key columns' values.
void visit_keys(Choice *choice, const Keyspace *keyspace, const KeyPin *pin, int column, Datum *key)
{
    if (column == pin->nkeys) {
        note_owner(choice, find_owner(keyspace, key));
        return;
    }
    int number = pin->values[column];
    if (choice->nulls[number])
        return;
    if (pin->is_array[column])
        visit_array(choice, keyspace, pin, column, key, choice->values[number]);
    else
        visit_value(choice, keyspace, pin, column, key, choice->values[number]);
}

// Spreads what any shard can answer over the shards, but one backend stays with one.
int32 any_shard()
{
    const Shard *const *shards;
    int n = list_shards(&shards);
    if (n == 0)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("there is no shard"),
                        errhint("Add one with shardwise.add_shard().")));
    return shards[MyProcPid % n]->id;
}

} // namespace

int32 choose_shard(const Route *route, const Datum *values, const bool *nulls, bool is_insert)
{
    Choice choice = {route, values, nulls, is_insert, 0};
    Datum key[max_key_columns];

    for (int i = 0; i < route->npins; i++) {
        const KeyPin *pin = &route->pins[i];
        visit_keys(&choice, find_keyspace(pin->keyspace_id), pin, 0, key);
    }
    if (choice.shard != 0)
        return choice.shard;
    return route->keyspace_id != 0 ? any_owner(find_keyspace(route->keyspace_id)) : any_shard();
}

} // namespace shardwise
