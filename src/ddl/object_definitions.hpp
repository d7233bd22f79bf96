// Queries that define an object outside of tables, on the router and on a shard alike. %1$s is the
// object's name as a literal. They return whether it exists, and its definition: at once what two
// servers compare and what CREATE takes after the object's kind (of types and collations, and its
// name); NULL where it cannot be created so.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

extern const char *const enum_state;
extern const char *const composite_state;
extern const char *const domain_state;
extern const char *const range_state;
extern const char *const shell_type_state;
extern const char *const base_type_state;
extern const char *const cast_state;
extern const char *const collation_state;
extern const char *const function_state;
extern const char *const extension_state;
extern const char *const aggregate_state;
extern const char *const operator_state;
extern const char *const operator_class_state;
extern const char *const operator_family_state;
extern const char *const text_search_parser_state;
extern const char *const text_search_template_state;
extern const char *const text_search_dictionary_state;
extern const char *const text_search_configuration_state;

// Of the family $1: the members that are in no class, as ADD takes them and as DROP does.
extern const char *const operator_family_members;

} // namespace shardwise
