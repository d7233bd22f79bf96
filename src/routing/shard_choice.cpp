#include "routing/shard_choice.hpp"

#include "catalog/gate.hpp"
#include "pg/types.hpp"

extern "C" {
#include "catalog/pg_type_d.h"
}

namespace shardwise
{

namespace
{

struct Choice {
    const RoutedKeys *keys;
    bool must_have_owner;
    List *shards;
};

[[noreturn]] void refuse_unowned_key()
{
    ereport(ERROR, (errcode(ERRCODE_CHECK_VIOLATION), errmsg("no shard owns the key of this row"),
                    errhint("Add the key to the shard map, or give the table a default shard.")));
}

void note_owner(Choice *choice, int32 owner)
{
    if (owner != 0)
        choice->shards = list_append_unique_int(choice->shards, owner);
    else if (choice->must_have_owner)
        refuse_unowned_key();
}

// Converts a compared value to the type of a key column, which may be a domain. False if no key can
// be equal to it.
bool convert_to_key(Oid from, Oid column_type, Datum *value)
{
    if (from == column_type || !is_integer_type(from))
        return true; // binary compatible, as the planner made sure
    Oid to = is_integer_type(column_type) ? column_type : getBaseType(column_type);
    return from == to || !is_integer_type(to) || convert_integer(from, to, value);
}

struct ArrayElements {
    int n;
    Datum *values;
    bool *nulls;
};

ArrayElements read_elements(Datum value)
{
    ArrayType *array = DatumGetArrayTypeP(value);
    ArrayElements elements;
    int16 length;
    bool by_value;
    char alignment;
    get_typlenbyvalalign(ARR_ELEMTYPE(array), &length, &by_value, &alignment);
    deconstruct_array(array, ARR_ELEMTYPE(array), length, by_value, alignment, &elements.values,
                      &elements.nulls, &elements.n);
    return elements;
}

void visit_keys(Choice *choice, const Keyspace *keyspace, const KeyPin *pin, int column,
                Datum *key);

void visit_value(Choice *choice, const Keyspace *keyspace, const KeyPin *pin, int column,
                 Datum *key, Datum value)
{
    key[column] = value;
    if (convert_to_key(pin->value_types[column], keyspace->key_types[column], &key[column]))
        visit_keys(choice, keyspace, pin, column + 1, key);
}

void visit_array(Choice *choice, const Keyspace *keyspace, const KeyPin *pin, int column,
                 Datum *key, Datum array)
{
    ArrayElements elements = read_elements(array);
    for (int i = 0; i < elements.n; i++)
        if (!elements.nulls[i])
            visit_value(choice, keyspace, pin, column, key, elements.values[i]);
}

// Visits every combination of the key columns' values.
void visit_keys(Choice *choice, const Keyspace *keyspace, const KeyPin *pin, int column, Datum *key)
{
    if (column == pin->nkeys) {
        note_owner(choice, choice->keys->use.writes ? find_owner_for_write(keyspace->id, key)
                                                    : find_owner(keyspace, key));
        return;
    }
    int number = pin->values[column];
    if (choice->keys->nulls[number])
        return;
    if (pin->is_array[column])
        visit_array(choice, keyspace, pin, column, key, choice->keys->values[number]);
    else
        visit_value(choice, keyspace, pin, column, key, choice->keys->values[number]);
}

[[noreturn]] void refuse_no_shard()
{
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg("there is no shard"),
                    errhint("Add one with shardwise.add_shard().")));
}

// Spreads what any shard can answer over the shards, but one backend stays with one. Rows of a
// reference table are locked where all others lock them.
int32 any_shard(bool for_write)
{
    const Shard *const *shards;
    int n = list_shards(&shards);
    if (n == 0)
        refuse_no_shard();
    return shards[for_write ? 0 : MyProcPid % n]->id;
}

// Converts the values of one bound of a range, in place. A value that is NULL or too large to be a
// key ends it: what comes before holds. Returns the number of columns; -1 if no key can satisfy the
// comparison.
int convert_bound(const Keyspace *keyspace, int n, const Oid *types, const bool *nulls,
                  Datum *bound)
{
    for (int i = 0; i < n; i++) {
        if (nulls[i])
            return i == 0 ? -1 : i;
        if (!convert_to_key(types[i], keyspace->key_types[i], &bound[i]))
            return i;
    }
    return n;
}

// A range's bounds, as they are in the statement's values.
struct RangeValues {
    Datum lower[max_key_columns];
    bool lower_nulls[max_key_columns];
    Datum upper[max_key_columns];
    bool upper_nulls[max_key_columns];
};

void visit_bounds(Choice *choice, const Keyspace *keyspace, const KeyPin *pin, RangeValues values)
{
    KeyRange range = {0, values.lower, true, 0, values.upper, true};
    range.nlower =
        convert_bound(keyspace, pin->nlower, pin->lower_types, values.lower_nulls, values.lower);
    range.nupper =
        convert_bound(keyspace, pin->nupper, pin->upper_types, values.upper_nulls, values.upper);
    if (range.nlower < 0 || range.nupper < 0)
        return;
    range.lower_is_inclusive = pin->lower_is_inclusive || range.nlower < pin->nlower;
    range.upper_is_inclusive = pin->upper_is_inclusive || range.nupper < pin->nupper;
    choice->shards = list_concat_unique_int(choice->shards, list_owners_between(keyspace, &range));
}

void visit_range(Choice *choice, const Keyspace *keyspace, const KeyPin *pin)
{
    RangeValues values = {};
    for (int i = 0; i < pin->nlower; i++) {
        values.lower[i] = choice->keys->values[pin->lower[i]];
        values.lower_nulls[i] = choice->keys->nulls[pin->lower[i]];
    }
    for (int i = 0; i < pin->nupper; i++) {
        values.upper[i] = choice->keys->values[pin->upper[i]];
        values.upper_nulls[i] = choice->keys->nulls[pin->upper[i]];
    }
    int last = pin->nlower - 1;
    if (!pin->ends_in_array) {
        visit_bounds(choice, keyspace, pin, values);
    } else if (!values.lower_nulls[last]) {
        ArrayElements elements = read_elements(values.lower[last]);
        for (int i = 0; i < elements.n; i++) {
            values.lower[last] = values.upper[last] = elements.values[i];
            if (!elements.nulls[i])
                visit_bounds(choice, keyspace, pin, values);
        }
    }
}

} // namespace

List *find_owners(const RoutedKeys &keys, bool must_have_owner)
{
    Choice choice = {&keys, must_have_owner, NIL};
    Datum key[max_key_columns];
    for (int i = 0; i < keys.npins; i++) {
        const KeyPin *pin = &keys.pins[i];
        if (pin->is_range && keys.use.writes)
            enter_all_gates(pin->keyspace_id);
        const Keyspace *keyspace = find_keyspace_for(pin->keyspace_id, keys.use);
        if (pin->is_range)
            visit_range(&choice, keyspace, pin);
        else
            visit_keys(&choice, keyspace, pin, 0, key);
    }
    return choice.shards;
}

int32 choose_shard(const RoutedKeys &keys, int32 keyspace_id, bool is_insert)
{
    List *owners = find_owners(keys, is_insert);
    if (list_length(owners) > 1)
        raise_rows_have_moved();
    if (owners != NIL)
        return linitial_int(owners);
    return keyspace_id != 0 ? any_owner(find_keyspace(keyspace_id)) : any_shard(keys.use.writes);
}

List *list_all_shards()
{
    const Shard *const *shards;
    int n = list_shards(&shards);
    List *numbers = NIL;
    for (int i = 0; i < n; i++)
        numbers = lappend_int(numbers, shards[i]->id);
    if (n == 0)
        refuse_no_shard();
    return numbers;
}

List *choose_shards(const RoutedKeys &keys, int32 keyspace_id)
{
    if (keys.npins == 0) {
        if (keys.use.writes)
            enter_all_gates(keyspace_id);
        return list_owners(find_keyspace_for(keyspace_id, keys.use));
    }
    List *owners = find_owners(keys, false);
    return owners != NIL ? owners : list_make1_int(any_owner(find_keyspace(keyspace_id)));
}

bool is_one_array(int npins, const KeyPin *pins)
{
    return npins == 1 && !pins->is_range && pins->nkeys == 1 && pins->is_array[0];
}

// The elements that one shard owns, as an array.
static Datum collect_owned(const ArrayElements *elements, Oid type, const int32 *owners,
                           int32 shard)
{
    Datum *owned = (Datum *)palloc(sizeof(Datum) * (elements->n + 1));
    int n = 0;
    for (int i = 0; i < elements->n; i++)
        if (owners[i] == shard)
            owned[n++] = elements->values[i];
    int16 length;
    bool by_value;
    char alignment;
    get_typlenbyvalalign(type, &length, &by_value, &alignment);
    ArrayType *array = construct_array(owned, n, type, length, by_value, alignment);
    pfree(owned);
    return PointerGetDatum(array);
}

List *split_keys(const RoutedKeys &keys, Datum **parts)
{
    const KeyPin *pin = keys.pins;
    const Keyspace *keyspace = find_keyspace_for(pin->keyspace_id, keys.use);
    Datum array = keys.values[pin->values[0]];
    ArrayElements elements = read_elements(array);
    Oid key_type = keyspace->key_types[0];
    int32 *owners = (int32 *)palloc0(sizeof(int32) * (elements.n + 1));
    Choice choice = {&keys, false, NIL};
    for (int i = 0; i < elements.n; i++) {
        Datum key = elements.values[i];
        if (elements.nulls[i] || !convert_to_key(pin->value_types[0], key_type, &key))
            continue;
        owners[i] =
            keys.use.writes ? find_owner_for_write(keyspace->id, &key) : find_owner(keyspace, &key);
        note_owner(&choice, owners[i]);
    }
    if (choice.shards == NIL)
        choice.shards = list_make1_int(any_owner(keyspace));
    *parts = (Datum *)palloc(sizeof(Datum) * list_length(choice.shards));
    ListCell *cell;
    foreach (cell, choice.shards)
        (*parts)[foreach_current_index(cell)] = collect_owned(
            &elements, ARR_ELEMTYPE(DatumGetArrayTypeP(array)), owners, lfirst_int(cell));
    pfree(owners);
    return choice.shards;
}

} // namespace shardwise
