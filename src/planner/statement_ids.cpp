#include "planner/statement_ids.hpp"

extern "C" {
#include "common/hashfn.h"
#include "utils/hsearch.h"
}

namespace shardwise
{

namespace
{

struct KnownText {
    uint64 hash; // key: of text and parameter types
    uint64 id;
    char *text;
};

constexpr int max_texts = 1000;

HTAB *texts = nullptr;
MemoryContext context = nullptr;

void forget_texts(Datum, Oid)
{
    if (context != nullptr)
        MemoryContextDelete(context);
    context = nullptr;
    texts = nullptr;
}

void create_table()
{
    context = AllocSetContextCreate(CacheMemoryContext, "shardwise statement texts",
                                    ALLOCSET_DEFAULT_SIZES);
    HASHCTL control = {};
    control.keysize = sizeof(uint64);
    control.entrysize = sizeof(KnownText);
    control.hcxt = context;
    texts = hash_create("shardwise statement texts", 64, &control,
                        HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

uint64 hash_statement(const Route *route)
{
    uint64 hash = hash_bytes_extended((const unsigned char *)route->sql, strlen(route->sql), 0);
    return hash_bytes_extended((const unsigned char *)route->param_types,
                               sizeof(Oid) * route->nparams, hash);
}

} // namespace

uint64 find_statement_id(const Route *route)
{
    if (texts != nullptr && hash_get_num_entries(texts) >= max_texts)
        forget_texts(0, InvalidOid);
    if (texts == nullptr)
        create_table();
    uint64 hash = hash_statement(route);
    bool found;
    KnownText *known = (KnownText *)hash_search(texts, &hash, HASH_FIND, &found);
    if (found)
        return strcmp(known->text, route->sql) == 0 ? known->id : route->statement_id;
    char *text = MemoryContextStrdup(context, route->sql);
    known = (KnownText *)hash_search(texts, &hash, HASH_ENTER, &found);
    known->id = route->statement_id;
    known->text = text;
    return known->id;
}

void init_statement_ids()
{
    CacheRegisterRelcacheCallback(forget_texts, 0);
}

} // namespace shardwise
