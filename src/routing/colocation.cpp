#include "routing/colocation.hpp"

extern "C" {
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
}

namespace shardwise
{

namespace
{

// All columns whose value follows from `from`, itself included.
List *reachable_terms(const Equalities &equalities, const Term &from)
{
    Term *start = (Term *)palloc(sizeof(Term));
    *start = from;
    List *terms = list_make1(start);
    for (int i = 0; i < list_length(terms); i++) {
        Term *term = (Term *)list_nth(terms, i);
        ListCell *cell;
        foreach (cell, equalities.edges) {
            Edge *edge = (Edge *)lfirst(cell);
            if (!terms_equal(edge->from, *term))
                continue;
            bool known = false;
            ListCell *present;
            foreach (present, terms)
                known |= terms_equal(*(Term *)lfirst(present), edge->to);
            if (!known)
                terms = lappend(terms, &edge->to);
        }
    }
    return terms;
}

bool reaches(const Equalities &equalities, const Term &from, const Term &to)
{
    ListCell *cell;
    foreach (cell, reachable_terms(equalities, from))
        if (terms_equal(*(Term *)lfirst(cell), to))
            return true;
    return false;
}

Term key_term(const Occurrence &occurrence, const Table *table, int column)
{
    return Term{occurrence.query, occurrence.varno, table->key_columns[column]};
}

const Table *table_of(const Occurrence &occurrence)
{
    return find_table(rt_fetch(occurrence.varno, occurrence.query->rtable)->relid);
}

bool is_distributed(const Occurrence &occurrence)
{
    const Table *table = table_of(occurrence);
    return table != nullptr && !table->is_reference;
}

// Finds columns of the level itself that show the occurrence's key.
bool show_key(Colocation *colocation, Query *query, Relids nullable, const Occurrence &occurrence)
{
    const Table *table = table_of(occurrence);
    for (int i = 0; i < table->nkeys; i++) {
        bool shown = false;
        ListCell *cell;
        foreach (cell, reachable_terms(colocation->equalities, key_term(occurrence, table, i))) {
            Term *term = (Term *)lfirst(cell);
            if (term->query != query || bms_is_member(term->varno, nullable) ||
                !reaches(colocation->equalities, *term, key_term(occurrence, table, i)))
                continue;
            colocation->key[i] = *term;
            shown = true;
            break;
        }
        if (!shown)
            return false;
    }
    return true;
}

bool governs_all(const Colocation *colocation, List *occurrences)
{
    ListCell *cell;
    foreach (cell, occurrences) {
        Occurrence *occurrence = (Occurrence *)lfirst(cell);
        if (!is_distributed(*occurrence))
            continue;
        const Table *table = table_of(*occurrence);
        for (int i = 0; i < table->nkeys; i++)
            if (!reaches(colocation->equalities, colocation->key[i],
                         key_term(*occurrence, table, i)))
                return false;
    }
    return true;
}

// The one keyspace of all distributed tables; nullptr where there are several, or none.
const Keyspace *common_keyspace(List *occurrences)
{
    const Keyspace *common = nullptr;
    ListCell *cell;
    foreach (cell, occurrences) {
        Occurrence *occurrence = (Occurrence *)lfirst(cell);
        if (table_of(*occurrence) == nullptr)
            return nullptr; // a local table
        if (!is_distributed(*occurrence))
            continue;
        const Keyspace *keyspace = table_of(*occurrence)->keyspace;
        if (common != nullptr && common->id != keyspace->id)
            return nullptr;
        common = keyspace;
    }
    return common;
}

} // namespace

Colocation find_colocation(Query *query)
{
    Colocation colocation = {};
    colocation.equalities = collect_equalities(query);
    List *occurrences = colocation.equalities.occurrences;
    colocation.keyspace = common_keyspace(occurrences);
    if (colocation.keyspace == nullptr)
        return colocation;

    Relids nullable = nullable_relations(query);
    ListCell *cell;
    foreach (cell, occurrences) {
        Occurrence *occurrence = (Occurrence *)lfirst(cell);
        if (is_distributed(*occurrence) && show_key(&colocation, query, nullable, *occurrence) &&
            governs_all(&colocation, occurrences)) {
            colocation.found = true;
            break;
        }
    }
    return colocation;
}

bool shows_key(const Colocation *colocation, Query *query, Node *expr, int column)
{
    Term term;
    return find_term(expr, query, NIL, &term) &&
           reaches(colocation->equalities, term, colocation->key[column]) &&
           reaches(colocation->equalities, colocation->key[column], term);
}

bool contains_key(const Colocation *colocation, Query *query, List *clauses)
{
    for (int i = 0; i < colocation->keyspace->nkeys; i++) {
        bool contained = false;
        ListCell *cell;
        foreach (cell, clauses) {
            TargetEntry *entry =
                get_sortgroupclause_tle((SortGroupClause *)lfirst(cell), query->targetList);
            contained |= shows_key(colocation, query, (Node *)entry->expr, i);
        }
        if (!contained)
            return false;
    }
    return true;
}

} // namespace shardwise
