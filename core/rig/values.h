/* values: how the module's functions read tables and push results. */
#pragma once

#include <lua.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "ports/exchange.h"

#define RIG_WORLD "sluice.world"
#define RIG_HEADERS_MAX 64
#define RIG_TOPICS_MAX 1024

struct world;

/* What a Lua world is. */
struct rig_handle {
    struct world *world; /* NULL: closed */
    lua_State *L;        /* for env, during load only */
    int env;             /* registry reference of the table that sluice.env sees */
    int redis;           /* and of the url that rules have which name none */
    bool environ;        /* and behind it the process's environment */
};

/* The world that is argument 1; raises if it is closed. */
struct world *rig_world(lua_State *L);

/* Fields of the table at `index`; texts live as long as the table does. */
struct bytes rig_field_bytes(lua_State *L, int index, const char *name, const char *standard);
double rig_field_number(lua_State *L, int index, const char *name, double standard);

bool rig_field_flag(lua_State *L, int index, const char *name);

/* Its `headers`, a list of { name, value } pairs; room for RIG_HEADERS_MAX. Returns how many. */
size_t rig_field_headers(lua_State *L, int index, struct http_header *headers);

/* Its `topics`, a list of texts; room for RIG_TOPICS_MAX. Returns how many. */
size_t rig_field_topics(lua_State *L, int index, struct bytes *topics);

void rig_push_buf(lua_State *L, const struct buf *buf);

/* true, or nil and the errors, which it destroys. */
int rig_push_outcome(lua_State *L, bool good, struct buf *errors);

/* Set a field of the table on top. */
void rig_set_buf(lua_State *L, const char *name, const struct buf *buf);
void rig_set_number(lua_State *L, const char *name, double number);
void rig_set_bytes(lua_State *L, const char *name, struct bytes bytes);
