#include "pg/pg.hpp"

#include "ddl/table_checks.hpp"
#include "ddl/table_definition.hpp"

extern "C" {
#include "access/transam.h"
#include "catalog/catalog.h"
#include "catalog/dependency.h"
#include "catalog/pg_inherits.h"
#include "commands/extension.h"
#include "utils/partcache.h"
}

namespace shardwise
{

static void refuse_kind(Relation rel)
{
    const char *name = RelationGetRelationName(rel);
    const char *kind = "relation";
    switch (rel->rd_rel->relkind) {
    case RELKIND_RELATION:
    case RELKIND_PARTITIONED_TABLE:
        return;
    case RELKIND_VIEW:
        kind = "view";
        break;
    case RELKIND_MATVIEW:
        kind = "materialized view";
        break;
    case RELKIND_FOREIGN_TABLE:
        kind = "foreign table";
        break;
    case RELKIND_SEQUENCE:
        kind = "sequence";
        break;
    case RELKIND_INDEX:
    case RELKIND_PARTITIONED_INDEX:
        kind = "index";
        break;
    }
    ereport(ERROR,
            (errcode(ERRCODE_WRONG_OBJECT_TYPE), errmsg("cannot distribute %s \"%s\"", kind, name),
             errhint("Only tables and partitioned tables can be distributed; views over them "
                     "work as they are.")));
}

static void refuse_system_table(Relation rel)
{
    Oid relid = RelationGetRelid(rel);
    if (relid < FirstNormalObjectId || IsCatalogRelation(rel) || IsToastRelation(rel) ||
        RelationGetNamespace(rel) == schema_oid())
        ereport(ERROR,
                (errcode(ERRCODE_WRONG_OBJECT_TYPE),
                 errmsg("cannot distribute system table \"%s\"", RelationGetRelationName(rel)),
                 errhint("Distribute tables of your own.")));
    Oid extension = getExtensionOfObject(RelationRelationId, relid);
    if (OidIsValid(extension))
        ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
                        errmsg("cannot distribute table \"%s\"", RelationGetRelationName(rel)),
                        errdetail("It belongs to extension \"%s\".", get_extension_name(extension)),
                        errhint("Copy its rows to a table of your own and distribute that.")));
}

static void refuse_persistence(Relation rel)
{
    const char *name = RelationGetRelationName(rel);
    if (rel->rd_rel->relpersistence == RELPERSISTENCE_TEMP)
        ereport(ERROR, (errcode(ERRCODE_INVALID_TABLE_DEFINITION),
                        errmsg("cannot distribute temporary table \"%s\"", name),
                        errhint("Create it as an ordinary table.")));
    if (rel->rd_rel->relpersistence == RELPERSISTENCE_UNLOGGED)
        ereport(ERROR, (errcode(ERRCODE_INVALID_TABLE_DEFINITION),
                        errmsg("cannot distribute unlogged table \"%s\"", name),
                        errhint("Change it first: ALTER TABLE %s SET LOGGED.",
                                qualified_table_name(RelationGetRelid(rel)))));
}

static void refuse_inheritance(Relation rel)
{
    const char *name = RelationGetRelationName(rel);
    Oid relid = RelationGetRelid(rel);
    if (rel->rd_rel->relispartition)
        ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
                        errmsg("cannot distribute partition \"%s\" by itself", name),
                        errhint("Distribute %s, the whole partitioned table.",
                                qualified_table_name(topmost_table(relid)))));
    bool has_children = rel->rd_rel->relkind == RELKIND_RELATION &&
                        find_inheritance_children(relid, AccessShareLock) != NIL;
    if (has_superclass(relid) || has_children)
        ereport(ERROR,
                (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                 errmsg("cannot distribute table \"%s\", which takes part in inheritance", name),
                 errhint("Use native partitioning (PARTITION BY) instead, or ALTER TABLE ... "
                         "NO INHERIT.")));
}

// Hashes of enums are those of Oids, which differ from server to server.
static void check_partition_key(Relation rel)
{
    PartitionKey key = RelationGetPartitionKey(rel);
    if (key == nullptr || key->strategy != PARTITION_STRATEGY_HASH)
        return;
    for (int i = 0; i < key->partnatts; i++)
        if (type_is_enum(getBaseType(key->parttypid[i])))
            ereport(ERROR,
                    (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                     errmsg("cannot distribute table \"%s\"", RelationGetRelationName(rel)),
                     errdetail("It is partitioned by the hash of type %s, whose values have other "
                               "hashes on other servers.",
                               format_type_be(key->parttypid[i])),
                     errhint("Use PARTITION BY LIST.")));
}

static void check_partitions(Relation rel)
{
    ListCell *cell;
    foreach (cell, table_tree(RelationGetRelid(rel), NoLock)) {
        Relation member = table_open(lfirst_oid(cell), NoLock);
        if (member->rd_rel->relkind == RELKIND_FOREIGN_TABLE)
            ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
                            errmsg("cannot distribute table \"%s\"", RelationGetRelationName(rel)),
                            errdetail("Its partition \"%s\" is a foreign table.",
                                      RelationGetRelationName(member)),
                            errhint("Detach that partition first.")));
        refuse_persistence(member);
        check_partition_key(member);
        table_close(member, NoLock);
    }
}

void check_table_is_shippable(Relation rel)
{
    Oid relid = RelationGetRelid(rel);
    refuse_kind(rel);
    refuse_system_table(rel);
    refuse_inheritance(rel);
    const Table *table = find_table(relid);
    if (table != nullptr)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("table \"%s\" is already %s", RelationGetRelationName(rel),
                               table->is_reference ? "a reference table" : "distributed"),
                        errhint("To distribute it otherwise, bring its rows home first: SELECT "
                                "shardwise.undistribute_table(%s).",
                                quote_literal_cstr(qualified_table_name(relid)))));
    refuse_persistence(rel);
    check_partitions(rel);
}

// The type that a keyspace stores: values are the same, and so are comparisons and hashes.
static Oid keyspace_type(Oid type)
{
    type = getBaseType(type);
    return type == VARCHAROID ? TEXTOID : type;
}

static void check_key_type(Form_pg_attribute attribute, bool by_hash)
{
    const char *name = NameStr(attribute->attname);
    Oid type = keyspace_type(attribute->atttypid);
    bool ordered = OidIsValid(lookup_type_cache(type, TYPECACHE_CMP_PROC)->cmp_proc);
    if (by_hash ? !type_is_hashable(type) : !ordered)
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_FUNCTION),
                        errmsg("column \"%s\" of type %s cannot be a shard key", name,
                               format_type_be(attribute->atttypid)),
                        errdetail(by_hash ? "The type has no hash function that gives the same "
                                            "result on every server."
                                          : "The type has no order (a default btree operator "
                                            "class)."),
                        by_hash && ordered
                            ? errhint("Use strategy \"range\" or \"list\", or another column.")
                            : errhint("Use another column.")));
    if (OidIsValid(attribute->attcollation) &&
        !get_collation_isdeterministic(attribute->attcollation))
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("column \"%s\" with a nondeterministic collation cannot be a shard "
                               "key",
                               name),
                        errdetail("Values that differ in their bytes would be equal, but could "
                                  "belong to different shards."),
                        errhint("Use a deterministic collation for the column.")));
}

// Row filters of publications, by which moves follow what changes, take built-in types alone.
static void warn_of_own_type(Relation rel, Form_pg_attribute attribute)
{
    if (attribute->atttypid < FirstNormalObjectId)
        return;
    ereport(WARNING, (errmsg("rows of table \"%s\" cannot be moved between shards later",
                             RelationGetRelationName(rel)),
                      errdetail("Shard key column \"%s\" has type %s, and PostgreSQL replicates "
                                "changes selected by built-in types alone.",
                                NameStr(attribute->attname), format_type_be(attribute->atttypid)),
                      errhint("Where a table is to move, use a built-in type for its key.")));
}

static Form_pg_attribute find_key_column(Relation rel, const char *name)
{
    AttrNumber number = get_attnum(RelationGetRelid(rel), name);
    if (number == InvalidAttrNumber)
        ereport(ERROR,
                (errcode(ERRCODE_UNDEFINED_COLUMN),
                 errmsg("column \"%s\" of table \"%s\" does not exist", name,
                        RelationGetRelationName(rel)),
                 errhint("Name one column of the table, or several as in ARRAY['a', 'b'].")));
    if (number < 0)
        ereport(ERROR, (errcode(ERRCODE_INVALID_COLUMN_REFERENCE),
                        errmsg("system column \"%s\" cannot be a shard key", name),
                        errhint("Use a column of the table's own.")));
    return TupleDescAttr(RelationGetDescr(rel), number - 1);
}

static void check_key_column(Relation rel, Form_pg_attribute attribute)
{
    const char *name = NameStr(attribute->attname);
    if (attribute->attgenerated)
        ereport(ERROR, (errcode(ERRCODE_INVALID_COLUMN_REFERENCE),
                        errmsg("generated column \"%s\" cannot be a shard key", name),
                        errhint("Use the columns from which it is generated.")));
    if (!attribute->attnotnull)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_TABLE_DEFINITION),
                 errmsg("shard key column \"%s\" may be null", name),
                 errdetail("A row without a key belongs to no shard."),
                 errhint("ALTER TABLE %s ALTER COLUMN %s SET NOT NULL.",
                         qualified_table_name(RelationGetRelid(rel)), quote_identifier(name))));
}

KeyColumns resolve_key_columns(Relation rel, ArrayType *names, bool by_hash)
{
    KeyColumns key = {};
    Datum *elements;
    bool *nulls;
    int count;
    deconstruct_array(names, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &count);
    if (count == 0 || count > max_key_columns)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("a shard key has 1 to %d columns", max_key_columns)));
    for (int i = 0; i < count; i++) {
        if (nulls[i])
            ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                            errmsg("shard key column name must not be null")));
        Form_pg_attribute attribute = find_key_column(rel, TextDatumGetCString(elements[i]));
        check_key_column(rel, attribute);
        check_key_type(attribute, by_hash);
        warn_of_own_type(rel, attribute);
        for (int j = 0; j < i; j++)
            if (key.numbers[j] == attribute->attnum)
                ereport(ERROR, (errcode(ERRCODE_DUPLICATE_COLUMN),
                                errmsg("column \"%s\" appears twice in the shard key",
                                       NameStr(attribute->attname))));
        key.numbers[i] = attribute->attnum;
        key.types[i] = keyspace_type(attribute->atttypid);
        key.collations[i] = attribute->attcollation;
        key.names[i] = pstrdup(NameStr(attribute->attname));
        key.count++;
    }
    return key;
}

// True where equality in the index column means equality of keys.
static bool index_column_compares_equal(Relation index, int column, Oid key_type)
{
    Oid collation = index->rd_indcollation[column];
    if (OidIsValid(collation) && !get_collation_isdeterministic(collation))
        return false;
    if (!index->rd_index->indisexclusion)
        return true;
    Oid *operators, *procs;
    uint16 *strategies;
    RelationGetExclusionInfo(index, &operators, &procs, &strategies);
    return operators[column] == lookup_type_cache(key_type, TYPECACHE_EQ_OPR)->eq_opr;
}

static bool index_contains_column(Relation index, AttrNumber number, Oid key_type)
{
    for (int i = 0; i < index->rd_index->indnkeyatts; i++)
        if (index->rd_index->indkey.values[i] == number &&
            index_column_compares_equal(index, i, key_type))
            return true;
    return false;
}

static void check_index(Relation rel, Relation index, const KeyColumns *key)
{
    for (int i = 0; i < key->count; i++) {
        AttrNumber number = get_attnum(RelationGetRelid(rel), key->names[i]);
        if (index_contains_column(index, number, key->types[i]))
            continue;
        const char *kind = index->rd_index->indisprimary     ? "primary key"
                           : index->rd_index->indisexclusion ? "exclusion constraint"
                                                             : "unique index";
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_TABLE_DEFINITION),
                 errmsg("%s \"%s\" does not contain shard key column \"%s\"", kind,
                        RelationGetRelationName(index), key->names[i]),
                 errdetail("A shard sees only its own rows, so it could not find a conflict with a "
                           "row of another shard."),
                 errhint("Add the column to the %s, drop it, or choose another shard key.", kind)));
    }
}

void check_constraints_contain_key(Relation rel, const KeyColumns *key)
{
    ListCell *cell;
    foreach (cell, table_tree(RelationGetRelid(rel), AccessShareLock)) {
        Relation member = table_open(lfirst_oid(cell), NoLock);
        ListCell *index_cell;
        foreach (index_cell, RelationGetIndexList(member)) {
            Relation index = index_open(lfirst_oid(index_cell), AccessShareLock);
            if (index->rd_index->indisunique || index->rd_index->indisexclusion)
                check_index(member, index, key);
            index_close(index, AccessShareLock);
        }
        table_close(member, NoLock);
    }
}

void check_indexes_contain_key(Oid relid)
{
    const Table *table = find_table(relid);
    if (table == nullptr || table->is_reference)
        return;
    KeyColumns key = {};
    key.count = table->nkeys;
    for (int i = 0; i < table->nkeys; i++) {
        key.numbers[i] = table->key_columns[i];
        key.types[i] = table->keyspace->key_types[i];
        key.collations[i] = table->keyspace->key_collations[i];
        key.names[i] = get_attname(relid, table->key_columns[i], false);
    }
    Relation rel = table_open(relid, NoLock);
    check_constraints_contain_key(rel, &key);
    table_close(rel, NoLock);
}

} // namespace shardwise
