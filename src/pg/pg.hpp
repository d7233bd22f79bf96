// The only door to PostgreSQL. Every backend file includes this first: the standard headers must
// come before postgres.h, or <cstdio> takes back PostgreSQL's snprintf family.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <new>
#include <type_traits>

extern "C" {
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/parsenodes.h"
#include "nodes/plannodes.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/typcache.h"
}

// These check C types with builtins that C++ does not have; PostgreSQL's inline lists use them.
#undef AssertVariableIsOfType
#undef AssertVariableIsOfTypeMacro
#define AssertVariableIsOfType(variable, type) ((void)0)
#define AssertVariableIsOfTypeMacro(variable, type) ((void)0)

// PostgreSQL 15 leaves PGDLLEXPORT empty, so -fvisibility=hidden would hide the entry points.
#undef PGDLLEXPORT
#define PGDLLEXPORT __attribute__((visibility("default")))

// PG_FUNCTION_INFO_V1 for C++: declares a C entry point that SQL can call.
#define SHARDWISE_FUNCTION(name)                                                                   \
    extern "C" {                                                                                   \
    PGDLLEXPORT Datum name(PG_FUNCTION_ARGS);                                                      \
    PG_FUNCTION_INFO_V1(name);                                                                     \
    }                                                                                              \
    extern "C" Datum name(PG_FUNCTION_ARGS)

namespace shardwise
{

// copyObject() for C++, which has no typeof.
template <typename T> T *copy_node(const T *node)
{
    return static_cast<T *>(copyObjectImpl(node));
}

// A copy of an array, in the current memory context; never nullptr.
template <typename T> T *copy_array(const T *source, int n)
{
    static_assert(std::is_trivially_copyable_v<T>);
    T *copy = static_cast<T *>(palloc(sizeof(T) * (n > 0 ? n : 1)));
    if (n > 0)
        memcpy(copy, source, sizeof(T) * n);
    return copy;
}

// A list with one element more at its head; the given list stays as it is (lcons would change it).
inline List *prepend(void *element, const List *list)
{
    return list_concat_copy(list_make1(element), list);
}

} // namespace shardwise
