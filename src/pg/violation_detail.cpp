#include "pg/violation_detail.hpp"

extern "C" {
#include "access/genam.h"
#include "catalog/namespace.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_partitioned_table.h"
#include "utils/acl.h"
#include "utils/rls.h"
}

namespace shardwise
{

namespace
{

bool may_read_table(Oid relid)
{
    return pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) == ACLCHECK_OK;
}

bool has_row_security(Oid relid)
{
    return check_enable_rls(relid, InvalidOid, true) == RLS_ENABLED;
}

bool may_read_columns(Oid relid, int ncolumns, const AttrNumber *columns)
{
    for (int i = 0; i < ncolumns; i++)
        if (columns[i] == InvalidAttrNumber || // an expression
            pg_attribute_aclcheck(relid, columns[i], GetUserId(), ACL_SELECT) != ACLCHECK_OK)
            return false;
    return true;
}

// Columns of the index behind a unique or exclusion constraint, whose name is the index's.
bool may_read_index(Oid relid, Oid index)
{
    HeapTuple tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index));
    if (!HeapTupleIsValid(tuple))
        return false;
    Form_pg_index form = (Form_pg_index)GETSTRUCT(tuple);
    bool may =
        form->indrelid == relid && may_read_columns(relid, form->indnkeyatts, form->indkey.values);
    ReleaseSysCache(tuple);
    return may;
}

// The columns that decide a row's partition, of which there is none.
bool may_read_partition_key(Oid relid)
{
    HeapTuple tuple = SearchSysCache1(PARTRELID, ObjectIdGetDatum(relid));
    if (!HeapTupleIsValid(tuple))
        return false;
    Form_pg_partitioned_table form = (Form_pg_partitioned_table)GETSTRUCT(tuple);
    bool may = may_read_columns(relid, form->partnatts, form->partattrs.values);
    ReleaseSysCache(tuple);
    return may;
}

bool may_read_unique_key(Oid relid, Oid schema, const char *constraint)
{
    if (has_row_security(relid))
        return false;
    return may_read_table(relid) ||
           (constraint != nullptr && may_read_index(relid, get_relname_relid(constraint, schema)));
}

// Shown are the columns of the referring row that lacks its partner, or of the row that is still
// referred to.
bool may_read_foreign_key(Oid relid, const char *constraint, bool is_referred)
{
    Oid oid =
        constraint != nullptr ? get_relation_constraint_oid(relid, constraint, true) : InvalidOid;
    HeapTuple tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(oid));
    if (!HeapTupleIsValid(tuple))
        return false;
    int ncolumns;
    AttrNumber own[INDEX_MAX_KEYS], referred[INDEX_MAX_KEYS];
    DeconstructFkConstraintRow(tuple, &ncolumns, own, referred, nullptr, nullptr, nullptr, nullptr,
                               nullptr);
    if (is_referred)
        relid = ((Form_pg_constraint)GETSTRUCT(tuple))->confrelid;
    ReleaseSysCache(tuple);
    return !has_row_security(relid) &&
           (may_read_table(relid) ||
            may_read_columns(relid, ncolumns, is_referred ? referred : own));
}

// "Key (a)=(1) is not present in table ..." without the key, as PostgreSQL has it.
char *hide_foreign_key(char *detail)
{
    for (const char *verb : {" is not present in table", " is still referenced from table"}) {
        char *end = nullptr;
        for (char *found = strstr(detail, verb); found != nullptr; found = strstr(found + 1, verb))
            end = found;
        if (end != nullptr)
            return psprintf("Key%s", end);
    }
    return strstr(detail, ")=(") == nullptr ? detail : nullptr;
}

char *foreign_key_detail(const Violation &violation, Oid relid)
{
    bool is_referred = strstr(violation.detail, " is still referenced from table") != nullptr;
    return may_read_foreign_key(relid, violation.constraint, is_referred)
               ? violation.detail
               : hide_foreign_key(violation.detail);
}

} // namespace

bool may_see_rows(Oid relid)
{
    return !has_row_security(relid) && may_read_table(relid);
}

char *visible_detail(const Violation &violation)
{
    if (violation.detail == nullptr || violation.table == nullptr || superuser())
        return violation.detail;
    Oid schema =
        violation.schema != nullptr ? get_namespace_oid(violation.schema, true) : InvalidOid;
    Oid relid = OidIsValid(schema) ? get_relname_relid(violation.table, schema) : InvalidOid;
    if (!OidIsValid(relid)) // a table that the router does not have, or does not have any more
        return nullptr;
    switch (violation.sqlstate) {
    case ERRCODE_UNIQUE_VIOLATION:
        return may_read_unique_key(relid, schema, violation.constraint) ? violation.detail
                                                                        : nullptr;
    case ERRCODE_EXCLUSION_VIOLATION:
        return may_read_unique_key(relid, schema, violation.constraint)
                   ? violation.detail
                   : pstrdup("Key conflicts with existing key.");
    case ERRCODE_FOREIGN_KEY_VIOLATION:
        return foreign_key_detail(violation, relid);
    case ERRCODE_CHECK_VIOLATION:
        if (strncmp(violation.detail, "Partition key ", 14) == 0 && !has_row_security(relid) &&
            may_read_partition_key(relid))
            return violation.detail;
        [[fallthrough]];
    default:
        return may_see_rows(relid) ? violation.detail : nullptr;
    }
}

} // namespace shardwise
