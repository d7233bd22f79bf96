#include "ddl/copy_out.hpp"

#include "catalog/catalog.hpp"
#include "ddl/copy_out_forward.hpp"
#include "executor/row_format.hpp"
#include "pg/names.hpp"
#include "pg/query_form.hpp"
#include "routing/shard_choice.hpp"
#include "transaction/snapshot.hpp"

extern "C" {
#include "parser/parser.h"
#include "utils/rls.h"
}

namespace shardwise
{

namespace
{

void check_privileges(Oid relid, const List *columns)
{
    Bitmapset *selected = nullptr;
    ListCell *cell;
    foreach (cell, columns)
        selected = bms_add_member(selected, lfirst_int(cell) - FirstLowInvalidHeapAttributeNumber);
    check_permissions(relid, ACL_SELECT, selected);
    if (get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE)
        ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
                        errmsg("cannot copy from partitioned table \"%s\"", get_rel_name(relid)),
                        errhint("Try the COPY (SELECT ...) TO variant.")));
}

// Reference tables are whole on each shard, so one will do.
List *source_shards(Oid relid)
{
    List *shards = list_all_shards();
    return find_table(relid)->is_reference ? list_truncate(shards, 1) : shards;
}

// What a shard copies: the table, or the rows of it that the shard owns.
char *source_on_shard(Oid relid, int32 shard, const char *columns)
{
    const Table *table = find_table(relid);
    const char *filter =
        table->is_reference
            ? nullptr
            : ghost_filter_sql(table, find_keyspace_for(table->keyspace->id, {}), shard);
    if (filter == nullptr)
        return psprintf("%s (%s)", qualified_table_name(relid), columns);
    return psprintf("(SELECT %s FROM ONLY %s WHERE %s)", columns, qualified_table_name(relid),
                    filter);
}

CopyStmt *as_query(const CopyStmt *statement, Oid relid, const char *columns)
{
    CopyStmt *other = copy_node(statement);
    const char *sql = psprintf("SELECT %s FROM ONLY %s", columns, qualified_table_name(relid));
    other->relation = nullptr;
    other->attlist = NIL;
    other->query = linitial_node(RawStmt, raw_parser(sql, RAW_PARSE_DEFAULT))->stmt;
    return other;
}

List *names_of(Oid relid, const List *columns)
{
    List *names = NIL;
    ListCell *cell;
    foreach (cell, columns)
        names = lappend(names, get_attname(relid, lfirst_int(cell), false));
    return names;
}

} // namespace

CopyStmt *copy_table_out(const CopyStmt *statement, Oid relid, QueryCompletion *completion)
{
    CopyDestination destination = prepare_destination(statement);
    begin_block_snapshots();
    Relation relation = table_open(relid, AccessShareLock);
    List *columns = CopyGetAttnums(RelationGetDescr(relation), relation, statement->attlist);
    check_privileges(relid, columns);
    char *list = column_names(relid, columns);
    CopyStmt *other = nullptr;
    if (check_enable_rls(relid, InvalidOid, false) == RLS_ENABLED ||
        (destination.options.binary && !columns_are_portable_in_binary(relation, columns))) {
        other = as_query(statement, relid, list);
    } else {
        List *sources = NIL;
        ListCell *cell;
        foreach (cell, source_shards(relid)) {
            CopySource *source = static_cast<CopySource *>(palloc(sizeof(CopySource)));
            *source = {lfirst_int(cell), source_on_shard(relid, lfirst_int(cell), list)};
            sources = lappend(sources, source);
        }
        uint64 rows = forward_copies(statement, &destination, sources, names_of(relid, columns));
        SetQueryCompletion(completion, CMDTAG_COPY, rows);
    }
    table_close(relation, NoLock);
    return other;
}

} // namespace shardwise
