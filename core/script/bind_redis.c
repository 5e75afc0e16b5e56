/* bind_redis: one command of a rule's to a Redis server. The library (scripts/sluice/redis.lua) makes it
 * friendly; here it is sent, waited for, and its answer becomes Lua values. And one script of the cluster's
 * (core/cluster/), by its name, for what the library itself keeps where nodes share a Redis. */
#include <lauxlib.h>
#include <lua.h>

#include "base/alloc.h"
#include "base/check.h"
#include "cluster/scripts.h"
#include "engine/databases.h"
#include "engine/joint.h"
#include "engine/ports.h"
#include "ports/redis.h"
#include "script/bind.h"
#include "script/here.h"
#include "script/kept.h"
#include "script/phase.h"
#include "script/task.h"
#include "script/vm.h"

enum { WORDS_MAX = 1024 };

struct commanding {
    struct redis *redis;
    struct redis_call *call; /* NULL once it is answered */
    struct task *task;
    struct kept kept;
};

static void answered(void *owner, const struct redis_answer *answer)
{
    struct commanding *commanding = owner;
    commanding->call = NULL;
    kept_take(&commanding->kept, answer);
    task_wake(commanding->task);
}

static int collect(lua_State *L, void *ctx)
{
    return kept_push(L, &((const struct commanding *)ctx)->kept);
}

static void release(void *ctx)
{
    struct commanding *commanding = ctx;
    if (commanding->call) commanding->redis->ops->cancel(commanding->redis, commanding->call);
    kept_destroy(&commanding->kept);
    xfree(commanding);
}

static const struct wait_ops waiting = {collect, release};

/* command(database, word, ...): its words are texts */
static int l_command(lua_State *L)
{
    struct bytes words[WORDS_MAX];
    phase_check(L, CALL_WAIT, "redis");
    const struct database_list *list = vm_databases(vm_of(L));
    const int number = (int)luaL_checkinteger(L, 1), count = lua_gettop(L) - 1;
    luaL_argcheck(L, number >= 1 && (uint32_t)number <= list->count, 1, "no such database");
    luaL_argcheck(L, count >= 1 && count <= WORDS_MAX, 2, "a command has 1 to 1024 words");
    for (int i = 0; i < count; i++) words[i].data = luaL_checklstring(L, i + 2, &words[i].size);
    struct commanding *commanding = xcalloc(1, sizeof *commanding);
    commanding->redis = database_redis(list->items[number - 1]);
    commanding->task = here_tasks(L)->running;
    commanding->call = commanding->redis->ops->start(commanding->redis, words, (size_t)count, answered, commanding);
    return task_park(L, here_tasks(L), &waiting, commanding);
}

/* database(url) -> its number; 0: none are to be had here; nil, sentence: the url is none */
static int l_database(lua_State *L)
{
    struct vm *vm = vm_of(L);
    struct databases *databases = here_ports(L)->databases;
    struct bytes url;
    url.data = luaL_checklstring(L, 1, &url.size);
    struct buf *error = here_scratch(L);
    struct database *database =
        databases ? database_ref(databases, bytes_of(vm_name(vm)), url, error) : NULL;
    if (databases && !database) {
        lua_pushnil(L);
        lua_pushstring(L, buf_text(error));
        return 2;
    }
    const bool there = database && database_redis(database);
    const uint32_t number = database ? database_list_add(vm_databases(vm), database) : 0;
    lua_pushinteger(L, there ? (lua_Integer)number : 0);
    return 1;
}

/* redis_fault(url) -> why it is none; nil: it is one, or nobody can say here */
static int l_redis_fault(lua_State *L)
{
    static const struct redis_events nobody; /* it is closed before anything comes */
    struct redis_opener *opener = here_ports(L)->redis;
    struct bytes url;
    url.data = luaL_checklstring(L, 1, &url.size);
    struct buf *error = here_scratch(L);
    struct redis *redis = opener ? opener->open(opener, url, &nobody, NULL, error) : NULL;
    if (redis) redis->ops->close(redis);
    lua_pushstring(L, opener && !redis ? buf_text(error) : NULL);
    return 1;
}

/* ---- what the library keeps in Redis, where nodes share it ---- */

enum { OWN = 2 }; /* words before the library's */

struct asking {
    struct cluster_call *call; /* NULL once it is answered */
    struct task *task;
    struct kept kept;
};

static void on_asked(void *owner, const struct redis_answer *answer)
{
    struct asking *asking = owner;
    asking->call = NULL;
    kept_take(&asking->kept, answer);
    task_wake(asking->task);
}

static int collect_asked(lua_State *L, void *ctx)
{
    return kept_push(L, &((const struct asking *)ctx)->kept);
}

static void release_asked(void *ctx)
{
    struct asking *asking = ctx;
    if (asking->call) cluster_cancel(asking->call);
    kept_destroy(&asking->kept);
    xfree(asking);
}

static const struct wait_ops asked_waiting = {collect_asked, release_asked};

static struct cluster *shared_cluster(lua_State *L)
{
    const struct joint *joint = here_ports(L)->joint;
    return joint && !here_shadowed(L) ? joint->cluster : NULL;
}

/* The server at the index: a number from 1, or a name that belongs to one. */
static uint32_t server_at(lua_State *L, struct cluster *cluster, int index)
{
    if (lua_type(L, index) != LUA_TNUMBER) {
        struct bytes name;
        name.data = luaL_checklstring(L, index, &name.size);
        return cluster_server_of(cluster, name);
    }
    const lua_Integer number = lua_tointeger(L, index);
    luaL_argcheck(L, number >= 1 && number <= (lua_Integer)cluster_servers(cluster), index, "no such server");
    return (uint32_t)number - 1;
}

/* shared(script, server, word, ...): its arguments are the node's name, the app's, and the words, which are texts.
 * Then collect(): value | nil, code, sentence */
static int l_shared(lua_State *L)
{
    struct bytes words[WORDS_MAX], script;
    phase_check(L, CALL_WAIT, "redis");
    struct cluster *cluster = shared_cluster(L);
    const int count = lua_gettop(L) - 2;
    luaL_argcheck(L, cluster, 1, "this node is by itself");
    luaL_argcheck(L, count >= 0 && count <= WORDS_MAX - OWN, 3, "too many words");
    script.data = luaL_checklstring(L, 1, &script.size);
    const struct cluster_script *found = cluster_script_named(script);
    luaL_argcheck(L, found, 1, "no such script");
    const uint32_t server = server_at(L, cluster, 2);
    words[0] = cluster_node(cluster);
    words[1] = bytes_of(vm_name(vm_of(L)));
    for (int i = 0; i < count; i++) words[OWN + i].data = luaL_checklstring(L, i + 3, &words[OWN + i].size);
    struct asking *asking = xcalloc(1, sizeof *asking);
    asking->task = here_tasks(L)->running;
    CHECK(asking->task);
    asking->call = cluster_run(cluster, server, found, words, (size_t)count + OWN, on_asked, asking);
    return task_park(L, here_tasks(L), &asked_waiting, asking);
}

/* clustered(): how many servers the nodes share; nil: this node is by itself, or these rules are in a shadow */
static int l_clustered(lua_State *L)
{
    const struct cluster *cluster = shared_cluster(L);
    if (!cluster) return 0;
    lua_pushinteger(L, (lua_Integer)cluster_servers(cluster));
    return 1;
}

/* server_of(name): the number of the server that it belongs to */
static int l_server_of(lua_State *L)
{
    luaL_checkstring(L, 1);
    lua_settop(L, 1);
    lua_pushinteger(L, (lua_Integer)server_at(L, shared_cluster(L), 1) + 1);
    return 1;
}

void bind_redis(lua_State *L)
{
    static const luaL_Reg functions[] = {{"command", l_command}, {"database", l_database},
                                         {"redis_fault", l_redis_fault}, {"shared", l_shared},
                                         {"clustered", l_clustered}, {"server_of", l_server_of}, {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
    lua_pushstring(L, vm_options(vm_of(L))->redis);
    lua_setfield(L, -2, "redis_url");
}
