/* field: reads the fields of one declaration, a table at index 1, which the library's
 * schemas have checked: every field is there, or has no value because it may be left
 * out, and has its type. So nothing here fails. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atom.h"
#include "plan/plan.h"

struct lua_State;

/* data NULL: none. Lives in the table. */
struct bytes field_text(struct lua_State *L, const char *name);

/* A new reference; NULL: none. */
struct atom *field_atom(struct lua_State *L, const char *name);

double field_number(struct lua_State *L, const char *name); /* 0: none */
uint64_t field_ms(struct lua_State *L, const char *name);   /* of seconds */
hook field_hook(struct lua_State *L, const char *name);     /* 0: none */
bool field_flag(struct lua_State *L, const char *name);
bool field_is(struct lua_State *L, const char *name, const char *text);
void field_place(struct lua_State *L, struct plan_place *place); /* of the field "place" */

/* A list of the field's values, one call of `read` each, with the value on top of the stack; returns how
 * many. *list is the caller's, NULL if there are none. */
size_t field_list(struct lua_State *L, const char *name, void **list, size_t item_size,
                  void (*read)(struct lua_State *L, void *item));

/* NULL: it is none, and *error says why. */
struct pattern *field_pattern(struct lua_State *L, enum pattern_kind kind, const char *name,
                              const char **error);
