/* bind: the functions that the core gives to the library, as fields of the table
 * `sluice.core`, which rule files never see. Each of these adds a module's to the
 * table on top of the stack; so do those of objects.h and values.h. */
#pragma once

struct lua_State;

void bind_app(struct lua_State *L);
void bind_channels(struct lua_State *L);
void bind_http(struct lua_State *L);
void bind_jwt(struct lua_State *L);
void bind_latch(struct lua_State *L);
void bind_log(struct lua_State *L);
void bind_plan(struct lua_State *L);
void bind_redis(struct lua_State *L);
void bind_sandbox(struct lua_State *L);
void bind_store(struct lua_State *L);
void bind_string(struct lua_State *L);
void bind_time(struct lua_State *L);
