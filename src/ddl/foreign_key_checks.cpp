#include "pg/pg.hpp"

#include "ddl/table_checks.hpp"
#include "ddl/table_definition.hpp"

extern "C" {
#include "catalog/pg_constraint.h"
#include "utils/fmgroids.h"
}

namespace shardwise
{

struct ForeignKey {
    const char *name;
    Oid referencing;
    Oid referenced;
    char delete_action;
    char update_action;
    int ncolumns;
    AttrNumber columns[INDEX_MAX_KEYS];
    AttrNumber referenced_columns[INDEX_MAX_KEYS];
    int nset; // columns of SET NULL (...) and SET DEFAULT (...), none: all
    AttrNumber set_columns[INDEX_MAX_KEYS];
};

// What decides on which shard a row of a table is: its key, or nothing for a reference table.
struct Placement {
    bool is_local;
    bool is_reference;
    int32 keyspace_id; // 0: one that is being made
    int nkeys;
    AttrNumber key[max_key_columns];
};

static Placement current_placement(Oid relid)
{
    Placement placement = {};
    const Table *table = find_table(topmost_table(relid));
    placement.is_local = table == nullptr;
    if (table == nullptr)
        return placement;
    placement.is_reference = table->is_reference;
    placement.nkeys = table->nkeys;
    memcpy(placement.key, table->key_columns, sizeof(placement.key));
    if (!table->is_reference)
        placement.keyspace_id = table->keyspace->id;
    return placement;
}

static ForeignKey *read_foreign_key(HeapTuple tuple)
{
    Form_pg_constraint form = (Form_pg_constraint)GETSTRUCT(tuple);
    ForeignKey *fk = static_cast<ForeignKey *>(palloc0(sizeof(ForeignKey)));
    fk->name = pstrdup(NameStr(form->conname));
    fk->referencing = form->conrelid;
    fk->referenced = form->confrelid;
    fk->delete_action = form->confdeltype;
    fk->update_action = form->confupdtype;
    DeconstructFkConstraintRow(tuple, &fk->ncolumns, fk->columns, fk->referenced_columns, nullptr,
                               nullptr, nullptr, &fk->nset, fk->set_columns);
    return fk;
}

// Lists the foreign keys with one end at a table: the referencing end or the referenced one.
// Copies that partitioning has made of a constraint are left out.
static List *list_foreign_keys(Oid relid, bool referencing)
{
    List *keys = NIL;
    Relation constraints = table_open(ConstraintRelationId, AccessShareLock);
    ScanKeyData scan_key;
    ScanKeyInit(&scan_key, referencing ? Anum_pg_constraint_conrelid : Anum_pg_constraint_confrelid,
                BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
    SysScanDesc scan =
        systable_beginscan(constraints, referencing ? ConstraintRelidTypidNameIndexId : InvalidOid,
                           referencing, nullptr, 1, &scan_key);
    HeapTuple tuple;
    while (HeapTupleIsValid(tuple = systable_getnext(scan))) {
        Form_pg_constraint form = (Form_pg_constraint)GETSTRUCT(tuple);
        if (form->contype == CONSTRAINT_FOREIGN && !OidIsValid(form->conparentid))
            keys = lappend(keys, read_foreign_key(tuple));
    }
    systable_endscan(scan);
    table_close(constraints, AccessShareLock);
    return keys;
}

// Finds the key of a table's root among the columns of a partition.
static AttrNumber column_in(Oid member, Oid root, AttrNumber number)
{
    return member == root ? number : get_attnum(member, get_attname(root, number, false));
}

// True where each key column of the referencing table refers to the key column of the same
// position: then both rows are on one shard.
static bool key_columns_match(const ForeignKey *fk, Oid root, const Placement *from, Oid other_root,
                              const Placement *to)
{
    if (from->nkeys != to->nkeys)
        return false;
    for (int i = 0; i < from->nkeys; i++) {
        bool found = false;
        for (int j = 0; j < fk->ncolumns; j++)
            if (fk->columns[j] == column_in(fk->referencing, root, from->key[i]) &&
                fk->referenced_columns[j] == column_in(fk->referenced, other_root, to->key[i]))
                found = true;
        if (!found)
            return false;
    }
    return true;
}

static bool is_set_column(const ForeignKey *fk, AttrNumber number)
{
    for (int i = 0; i < fk->nset; i++)
        if (fk->set_columns[i] == number)
            return true;
    return fk->nset == 0;
}

// An action that gives a row another key would leave it on the wrong shard.
static void refuse_key_changing_action(const ForeignKey *fk, Oid root, const Placement *from)
{
    for (int i = 0; i < from->nkeys; i++) {
        AttrNumber number = column_in(fk->referencing, root, from->key[i]);
        for (int j = 0; j < fk->ncolumns; j++) {
            if (fk->columns[j] != number)
                continue;
            bool on_delete =
                fk->delete_action == FKCONSTR_ACTION_SETDEFAULT && is_set_column(fk, number);
            bool on_update = fk->update_action == FKCONSTR_ACTION_SETDEFAULT;
            if (on_delete || on_update)
                ereport(ERROR,
                        (errcode(ERRCODE_INVALID_TABLE_DEFINITION),
                         errmsg("foreign key \"%s\" would change shard key column \"%s\"", fk->name,
                                get_attname(fk->referencing, number, false)),
                         errdetail("SET DEFAULT on a shard cannot move a row to another shard."),
                         errhint("Use NO ACTION, RESTRICT or CASCADE, or name other columns.")));
        }
    }
}

static void raise_unenforceable(const ForeignKey *fk, const char *detail, const char *hint)
{
    ereport(ERROR, (errcode(ERRCODE_INVALID_TABLE_DEFINITION),
                    errmsg("foreign key \"%s\" of table \"%s\" cannot be enforced by shards",
                           fk->name, get_rel_name(fk->referencing)),
                    errdetail_internal("%s", detail), errhint("%s", hint)));
}

static void check_outgoing(const ForeignKey *fk, Oid root, const Placement *from)
{
    char *other = qualified_table_name(fk->referenced);
    Oid other_root = topmost_table(fk->referenced);
    bool to_itself = list_member_oid(table_tree(root, NoLock), fk->referenced);
    Placement to = to_itself ? *from : current_placement(fk->referenced);
    if (to_itself)
        other_root = root;
    if (!from->is_reference)
        refuse_key_changing_action(fk, root, from);
    if (to.is_reference)
        return;
    if (to.is_local)
        raise_unenforceable(
            fk, psprintf("It refers to local table %s, which shards do not have.", other),
            psprintf("Make that table a reference table first (SELECT "
                     "shardwise.create_reference_table(%s)), or distribute it by the same key.",
                     quote_literal_cstr(other)));
    if (from->is_reference)
        raise_unenforceable(
            fk,
            psprintf("A reference table is whole on every shard, distributed table %s is not.",
                     other),
            "Drop the foreign key.");
    if (to.keyspace_id != from->keyspace_id)
        raise_unenforceable(fk, psprintf("It refers to table %s of another keyspace.", other),
                            psprintf("Use colocate_with => %s.", quote_literal_cstr(other)));
    if (!key_columns_match(fk, root, from, other_root, &to))
        raise_unenforceable(
            fk,
            psprintf("It does not pair the shard key of the table with the shard key of %s.",
                     other),
            "Add the shard key columns of both tables to it, in the same order.");
}

// A local table's foreign key refers to a unique constraint, which contains the shard key: it can
// be whole again once that table follows.
static void announce_local_referencing(const ForeignKey *fk, Oid root, const Placement *to)
{
    ereport(NOTICE,
            (errmsg("foreign key \"%s\" of local table \"%s\" no longer protects the rows that it "
                    "refers to",
                    fk->name, get_rel_name(fk->referencing)),
             to->is_reference ? errhint("Distribute that table too, or make it a reference table.")
                              : errhint("Distribute that table next, with colocate_with => %s.",
                                        quote_literal_cstr(qualified_table_name(root)))));
}

static void check_incoming(const ForeignKey *fk, Oid root, const Placement *to)
{
    Placement from = current_placement(fk->referencing);
    if (from.is_local) {
        announce_local_referencing(fk, root, to);
        return;
    }
    if (to->is_reference)
        return;
    if (from.is_reference || from.keyspace_id != to->keyspace_id ||
        !key_columns_match(fk, topmost_table(fk->referencing), &from, root, to))
        raise_unenforceable(fk, "It does not pair the shard keys of the two tables.",
                            "Drop the foreign key, or distribute both tables by its columns, with "
                            "colocate_with.");
}

void check_foreign_keys(Relation rel, const KeyColumns *key, int32 keyspace_id)
{
    Oid root = RelationGetRelid(rel);
    Placement placement = {};
    placement.is_reference = key == nullptr;
    placement.keyspace_id = keyspace_id;
    if (key != nullptr) {
        placement.nkeys = key->count;
        memcpy(placement.key, key->numbers, sizeof(placement.key));
    }
    List *tree = table_tree(root, NoLock);
    ListCell *member;
    foreach (member, tree) {
        ListCell *cell;
        foreach (cell, list_foreign_keys(lfirst_oid(member), true))
            check_outgoing(static_cast<ForeignKey *>(lfirst(cell)), root, &placement);
        foreach (cell, list_foreign_keys(lfirst_oid(member), false)) {
            const ForeignKey *fk = static_cast<ForeignKey *>(lfirst(cell));
            if (!list_member_oid(tree, fk->referencing))
                check_incoming(fk, root, &placement);
        }
    }
}

void check_new_foreign_key(Oid relid, Oid constraint)
{
    HeapTuple tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(constraint));
    if (!HeapTupleIsValid(tuple))
        elog(ERROR, "constraint %u not found", constraint);
    const ForeignKey *fk = ((Form_pg_constraint)GETSTRUCT(tuple))->contype == CONSTRAINT_FOREIGN
                               ? read_foreign_key(tuple)
                               : nullptr;
    ReleaseSysCache(tuple);
    if (fk == nullptr)
        return;
    Oid root = topmost_table(relid);
    Placement from = current_placement(root);
    check_outgoing(fk, root, &from);
}

void check_new_partition(Oid relid)
{
    Oid root = topmost_table(relid);
    Placement from = current_placement(root);
    ListCell *member;
    foreach (member, table_tree(relid, NoLock)) {
        Oid leaf = lfirst_oid(member);
        char kind = get_rel_relkind(leaf);
        if ((kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE) ||
            get_rel_persistence(leaf) != RELPERSISTENCE_PERMANENT)
            ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
                            errmsg("\"%s\" cannot be a partition of a distributed table",
                                   get_rel_name(leaf)),
                            errdetail("Foreign, temporary and unlogged tables cannot be "
                                      "distributed.")));
        check_indexes_contain_key(leaf);
        ListCell *cell;
        foreach (cell, list_foreign_keys(leaf, true))
            check_outgoing(static_cast<ForeignKey *>(lfirst(cell)), root, &from);
    }
}

void check_nothing_refers_to(Oid relid)
{
    List *tree = table_tree(relid, NoLock);
    ListCell *member;
    foreach (member, tree) {
        ListCell *cell;
        foreach (cell, list_foreign_keys(lfirst_oid(member), false)) {
            const ForeignKey *fk = static_cast<ForeignKey *>(lfirst(cell));
            if (list_member_oid(tree, fk->referencing) || find_table(fk->referencing) == nullptr)
                continue;
            ereport(ERROR,
                    (errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
                     errmsg("cannot bring table \"%s\" home", get_rel_name(relid)),
                     errdetail("Foreign key \"%s\" of table \"%s\", which is on the shards, refers "
                               "to it.",
                               fk->name, get_rel_name(fk->referencing)),
                     errhint("Undistribute that table first, or drop the foreign key.")));
        }
    }
}

} // namespace shardwise
