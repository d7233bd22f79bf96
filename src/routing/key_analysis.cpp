#include "routing/key_analysis.hpp"

#include "pg/types.hpp"
#include "routing/bounds.hpp"
#include "routing/equality.hpp"
#include "routing/value_types.hpp"

extern "C" {
#include "nodes/nodeFuncs.h"
#include "parser/parsetree.h"
}

namespace shardwise
{

namespace
{

struct Known {
    Term term;
    Expr *expr;
    bool is_array;
};

struct Analysis {
    Equalities equalities;
    List *known;  // Known *
    List *bounds; // Bound *
    KeyAnalysis *out;
};

Known *find_known(List *known, const Term &term)
{
    ListCell *cell;
    foreach (cell, known)
        if (terms_equal(((Known *)lfirst(cell))->term, term))
            return (Known *)lfirst(cell);
    return nullptr;
}

void learn(List **known, const Term &term, Expr *expr, bool is_array)
{
    Known *present = find_known(*known, term);
    if (present == nullptr) {
        present = (Known *)palloc(sizeof(Known));
        *known = lappend(*known, present);
    } else if (!present->is_array || is_array) {
        return; // a single value is the best there is
    }
    *present = Known{term, expr, is_array};
}

// Carries values along the edges until nothing new is learnt.
void propagate(Analysis *a)
{
    ListCell *cell;
    foreach (cell, a->equalities.seeds) {
        Seed *seed = (Seed *)lfirst(cell);
        learn(&a->known, seed->term, seed->expr, seed->is_array);
    }
    int before;
    do {
        before = list_length(a->known);
        foreach (cell, a->equalities.edges) {
            Edge *edge = (Edge *)lfirst(cell);
            Known *from = find_known(a->known, edge->from);
            if (from != nullptr)
                learn(&a->known, edge->to, from->expr, from->is_array);
        }
    } while (list_length(a->known) != before);
}

bool same_bounds(const KeyBounds *a, const KeyBounds *b)
{
    if (a->nlower != b->nlower || a->nupper != b->nupper ||
        a->lower_is_inclusive != b->lower_is_inclusive ||
        a->upper_is_inclusive != b->upper_is_inclusive)
        return false;
    for (int i = 0; i < a->nlower; i++)
        if (!equal(a->lower[i], b->lower[i]))
            return false;
    for (int i = 0; i < a->nupper; i++)
        if (!equal(a->upper[i], b->upper[i]))
            return false;
    return true;
}

bool same_key(const KeyExpression *a, const KeyExpression *b)
{
    if (a->keyspace != b->keyspace)
        return false;
    if (a->is_range != b->is_range)
        return false;
    if (a->is_range)
        return same_bounds(&a->bounds, &b->bounds);
    for (int i = 0; i < a->keyspace->nkeys; i++)
        if (a->is_array[i] != b->is_array[i] || !equal(a->values[i], b->values[i]))
            return false;
    return true;
}

void add_key(KeyAnalysis *out, const KeyExpression &key)
{
    ListCell *cell;
    foreach (cell, out->keys)
        if (same_key((KeyExpression *)lfirst(cell), &key))
            return;
    KeyExpression *copy = (KeyExpression *)palloc(sizeof(KeyExpression));
    *copy = key;
    out->keys = lappend(out->keys, copy);
}

// Fills a key from known column values; false if some column is missing.
bool complete_key(List *known, const Occurrence &occurrence, const Table *table, KeyExpression *key)
{
    *key = KeyExpression{};
    key->keyspace = table->keyspace;
    for (int i = 0; i < table->nkeys; i++) {
        Known *value =
            find_known(known, Term{occurrence.query, occurrence.varno, table->key_columns[i]});
        if (value == nullptr || !value_fits(table->keyspace, i, value->expr, value->is_array))
            return false;
        key->values[i] = value->expr;
        key->is_array[i] = value->is_array;
    }
    return true;
}

// A range of keys, from known values of leading columns and comparisons; false if there is none.
bool complete_range(List *known, List *bounds, const Occurrence &occurrence, const Table *table,
                    KeyExpression *key)
{
    Expr *prefix[max_key_columns];
    int n = 0;
    bool ends_in_array = false;
    if (table->keyspace->strategy != Strategy::Range && table->keyspace->strategy != Strategy::List)
        return false;
    for (; n < table->nkeys; n++) {
        Known *value =
            find_known(known, Term{occurrence.query, occurrence.varno, table->key_columns[n]});
        if (value == nullptr || !value_fits(table->keyspace, n, value->expr, value->is_array))
            break;
        prefix[n] = value->expr;
        if ((ends_in_array = value->is_array)) {
            bounds = NIL; // beyond it
            n++;
            break;
        }
    }
    *key = KeyExpression{};
    key->keyspace = table->keyspace;
    key->is_range = true;
    bool found = find_key_bounds(bounds, occurrence, table, n, prefix, &key->bounds);
    key->bounds.ends_in_array = ends_in_array;
    return found;
}

void learn_from_conjunction(List **known, List **bounds, Node *clause, Query *query)
{
    Seed seed;
    Bound bound;
    if (is_andclause(clause)) {
        ListCell *cell;
        foreach (cell, ((BoolExpr *)clause)->args)
            learn_from_conjunction(known, bounds, (Node *)lfirst(cell), query);
    } else if (match_seed(clause, query, NIL, &seed)) {
        learn(known, seed.term, seed.expr, seed.is_array);
    } else if (match_bound(clause, query, NIL, &bound)) {
        Bound *copy = (Bound *)palloc(sizeof(Bound));
        *copy = bound;
        *bounds = prepend(copy, *bounds);
    }
}

char *describe_unpinned(const Table *table)
{
    StringInfoData columns;
    initStringInfo(&columns);
    for (int i = 0; i < table->nkeys; i++)
        appendStringInfo(&columns, "%s%s", i > 0 ? ", " : "",
                         get_attname(table->relid, table->key_columns[i], false));
    return psprintf("Table \"%s\" is not restricted to one value of its shard key (%s).",
                    get_rel_name(table->relid), columns.data);
}

void note_unpinned(KeyAnalysis *out, char *reason)
{
    if (out->unpinned == nullptr)
        out->unpinned = reason;
}

// Finds the keys of a relation in an OR whose every arm names one, or a range of them.
bool keys_from_disjunction(Analysis *a, const Occurrence &occurrence, const Table *table)
{
    ListCell *cell;
    foreach (cell, a->equalities.disjunctions) {
        Disjunction *disjunction = (Disjunction *)lfirst(cell);
        if (disjunction->query != occurrence.query)
            continue;
        List *keys = NIL;
        bool has_range = false;
        ListCell *arm;
        foreach (arm, disjunction->clause->args) {
            List *known = list_copy(a->known);
            List *bounds = a->bounds;
            KeyExpression *key = (KeyExpression *)palloc(sizeof(KeyExpression));
            learn_from_conjunction(&known, &bounds, (Node *)lfirst(arm), occurrence.query);
            if (!complete_key(known, occurrence, table, key) &&
                !complete_range(known, bounds, occurrence, table, key))
                break;
            has_range |= key->is_range;
            keys = lappend(keys, key);
        }
        if (list_length(keys) != list_length(disjunction->clause->args))
            continue;
        foreach (arm, keys)
            add_key(a->out, *(KeyExpression *)lfirst(arm));
        if (has_range)
            note_unpinned(a->out, describe_unpinned(table));
        return true;
    }
    return false;
}

// WHERE false: no row of the level matters.
bool is_empty(Query *query)
{
    Node *quals = query->jointree != nullptr ? query->jointree->quals : nullptr;
    return quals != nullptr && IsA(quals, Const) &&
           (((Const *)quals)->constisnull || !DatumGetBool(((Const *)quals)->constvalue));
}

void resolve_occurrence(Analysis *a, const Occurrence &occurrence)
{
    RangeTblEntry *rte = rt_fetch(occurrence.varno, occurrence.query->rtable);
    const Table *table = find_table(rte->relid);
    if (table == nullptr)
        return;
    bool is_target = occurrence.query->resultRelation == occurrence.varno;
    if (table->is_reference) {
        a->out->changes_reference |= is_target;
        return;
    }
    a->out->keyspace = table->keyspace;
    KeyExpression key;
    if (complete_key(a->known, occurrence, table, &key))
        add_key(a->out, key);
    else if (!is_empty(occurrence.query) && !keys_from_disjunction(a, occurrence, table)) {
        note_unpinned(a->out, describe_unpinned(table));
        if (complete_range(a->known, a->bounds, occurrence, table, &key))
            add_key(a->out, key);
        else
            a->out->is_unbounded = true;
    }
}

// ---- INSERT ----------------------------------------------------------------------------------

RangeTblEntry *find_values(Query *query)
{
    ListCell *cell;
    foreach (cell, query->rtable)
        if (((RangeTblEntry *)lfirst(cell))->rtekind == RTE_VALUES)
            return (RangeTblEntry *)lfirst(cell);
    return nullptr;
}

TargetEntry *find_target(List *target_list, AttrNumber attno)
{
    ListCell *cell;
    foreach (cell, target_list) {
        TargetEntry *entry = (TargetEntry *)lfirst(cell);
        if (!entry->resjunk && entry->resno == attno)
            return entry;
    }
    return nullptr;
}

// The value that one row of an INSERT gives to a column: a Var of the VALUES list is looked up in
// the row.
bool inserted_value(Analysis *a, Query *query, Expr *expr, List *row, Known *value)
{
    Term term;
    if (row != NIL && IsA(expr, Var)) {
        *value = Known{{}, (Expr *)list_nth(row, ((Var *)expr)->varattno - 1), false};
        return true;
    }
    if (find_term((Node *)expr, query, NIL, &term)) {
        Known *known = find_known(a->known, term);
        if (known == nullptr)
            return false;
        *value = *known;
        return true;
    }
    *value = Known{{}, expr, false};
    return is_known_value((Node *)expr);
}

void resolve_inserted_row(Analysis *a, Query *query, const Table *table, List *row)
{
    KeyExpression key = {};
    key.keyspace = table->keyspace;
    for (int i = 0; i < table->nkeys; i++) {
        TargetEntry *entry = find_target(query->targetList, table->key_columns[i]);
        Known value;
        if (entry == nullptr)
            return; // NULL: whichever shard gets the row refuses it
        if (!inserted_value(a, query, entry->expr, row, &value) ||
            !value_fits(table->keyspace, i, value.expr, value.is_array)) {
            note_unpinned(a->out, describe_unpinned(table));
            a->out->is_unbounded = true;
            return;
        }
        key.values[i] = value.expr;
        key.is_array[i] = value.is_array;
    }
    add_key(a->out, key);
}

void resolve_insert(Analysis *a, Query *query)
{
    RangeTblEntry *target = rt_fetch(query->resultRelation, query->rtable);
    const Table *table = find_table(target->relid);
    if (table == nullptr)
        return;
    if (table->is_reference) {
        a->out->changes_reference = true;
        return;
    }
    a->out->keyspace = table->keyspace;
    RangeTblEntry *values = find_values(query);
    if (values == nullptr) {
        resolve_inserted_row(a, query, table, NIL);
        return;
    }
    ListCell *cell;
    foreach (cell, values->values_lists)
        resolve_inserted_row(a, query, table, (List *)lfirst(cell));
}

// ---- changes of the key itself ---------------------------------------------------------------

// The value that INSERT ... ON CONFLICT gives to the column of a row that is in the way. Each
// unique index has the shard key in it, so the two rows' keys are equal.
bool is_proposed_value(Query *query, AttrNumber attno, Node *expr)
{
    if (query->onConflict == nullptr)
        return false;
    Var *var = (Var *)expr;
    if (IsA(var, Var))
        return var->varno == query->onConflict->exclRelIndex && var->varattno == attno &&
               var->varlevelsup == 0;
    TargetEntry *proposed = find_target(query->targetList, attno);
    return proposed != nullptr && is_known_value(expr) &&
           equal(strip_casts((Node *)proposed->expr), expr);
}

// A SET of a key column is fine where it sets what the row has.
void check_key_unchanged(Analysis *a, Query *query, int varno, List *target_list)
{
    const Table *table = find_table(rt_fetch(varno, query->rtable)->relid);
    if (table == nullptr || table->is_reference)
        return;
    for (int i = 0; i < table->nkeys; i++) {
        TargetEntry *entry = find_target(target_list, table->key_columns[i]);
        if (entry == nullptr)
            continue;
        Term column = {query, varno, table->key_columns[i]};
        Term source;
        if (find_term((Node *)entry->expr, query, NIL, &source) && terms_equal(source, column))
            continue;
        if (is_proposed_value(query, table->key_columns[i], strip_casts((Node *)entry->expr)))
            continue;
        Known *known = find_known(a->known, column);
        if (known != nullptr && !known->is_array &&
            equal(strip_casts((Node *)known->expr), strip_casts((Node *)entry->expr)))
            continue;
        if (a->out->changes_key == nullptr)
            a->out->changes_key = psprintf("The statement changes shard key column \"%s\" of table "
                                           "\"%s\", which may move a row to another shard.",
                                           get_attname(table->relid, table->key_columns[i], false),
                                           get_rel_name(table->relid));
    }
}

void check_updates(Analysis *a)
{
    ListCell *cell;
    foreach (cell, a->equalities.occurrences) {
        Occurrence *occurrence = (Occurrence *)lfirst(cell);
        if (occurrence->query->commandType == CMD_UPDATE &&
            occurrence->query->resultRelation == occurrence->varno)
            check_key_unchanged(a, occurrence->query, occurrence->varno,
                                occurrence->query->targetList);
    }
    foreach (cell, a->equalities.inserts) {
        Query *query = (Query *)lfirst(cell);
        if (query->onConflict != nullptr)
            check_key_unchanged(a, query, query->resultRelation, query->onConflict->onConflictSet);
    }
}

} // namespace

bool value_fits(const Keyspace *keyspace, int column, const Expr *expr, bool is_array)
{
    Oid type = getBaseType(exprType((const Node *)expr));
    if (is_array)
        type = getBaseType(get_element_type(type));
    Oid key_type = getBaseType(keyspace->key_types[column]);
    if (type == key_type)
        return true;
    if (is_integer_type(type) && is_integer_type(key_type))
        return true;
    auto is_text = [](Oid t) { return t == TEXTOID || t == VARCHAROID; };
    return is_text(type) && is_text(key_type);
}

KeyAnalysis analyze_keys(Query *query)
{
    KeyAnalysis out = {};
    Analysis analysis = {collect_equalities(query), NIL, NIL, &out};
    ListCell *cell;

    propagate(&analysis);
    analysis.bounds = propagate_bounds(analysis.equalities, analysis.equalities.bounds);
    foreach (cell, analysis.equalities.occurrences)
        resolve_occurrence(&analysis, *(Occurrence *)lfirst(cell));
    foreach (cell, analysis.equalities.inserts)
        resolve_insert(&analysis, (Query *)lfirst(cell));
    check_updates(&analysis);
    return out;
}

bool has_one_key(const KeyAnalysis *analysis)
{
    if (list_length(analysis->keys) > 1)
        return false;
    KeyExpression *key =
        analysis->keys != NIL ? (KeyExpression *)linitial(analysis->keys) : nullptr;
    for (int i = 0; key != nullptr && i < key->keyspace->nkeys; i++)
        if (key->is_array[i])
            return false;
    return true;
}

} // namespace shardwise
