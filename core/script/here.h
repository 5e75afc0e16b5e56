/* here: what a binding asks of where it was called: from a lua_State to the VM's
 * parts. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct app;
struct buf;
struct engine_ports;
struct lua_State;
struct running;
struct store;
struct tasks;

/* The app; NULL while the rule file loads. */
struct app *here_app(struct lua_State *L);
const struct engine_ports *here_ports(struct lua_State *L);
struct tasks *here_tasks(struct lua_State *L);
struct store *here_store(struct lua_State *L); /* the app's, or the shadow's over it */

/* These rules run in the shadow of others: what would reach anybody must not be done. */
bool here_shadowed(struct lua_State *L);

/* The call whose code runs; NULL while the rule file loads. */
struct running *here_running(struct lua_State *L);

/* Raises "not enough memory" unless so many bytes of the VM's quota are left, if need be after a
 * collection. */
void here_room(struct lua_State *L, size_t bytes);

/* An empty buffer for the binding's own use, until the next call of this: what a binding allocated
 * itself would leak where Lua raises. */
struct buf *here_scratch(struct lua_State *L);
