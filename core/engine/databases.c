#include "engine/databases.h"

#include "base/alloc.h"
#include "base/check.h"

struct database {
    struct databases *databases;
    struct redis *redis;
    struct buf name;
    char *app;
    uint32_t refs;
};

void databases_create(struct databases *databases, struct redis_opener *opener, struct log *log)
{
    *databases = (struct databases){._opener = opener, ._log = log, ._by_name = DICT_EMPTY};
}

void databases_destroy(struct databases *databases)
{
    CHECK(databases->_by_name.count == 0);
    dict_destroy(&databases->_by_name);
}

/* The url is not told: it may hold a password. */
static void on_up(void *owner)
{
    const struct database *database = owner;
    LOG(database->databases->_log, LOG_INFO, "redis of rules is there", F_TEXT("app", database->app));
}

static void on_down(void *owner, const char *why)
{
    const struct database *database = owner;
    LOG(database->databases->_log, LOG_WARN, "redis of rules is away", F_TEXT("app", database->app),
        F_TEXT("why", why));
}

static void on_subscribed(void *owner, struct bytes channel)
{
    (void)owner, (void)channel;
}

static void on_message(void *owner, struct bytes channel, struct bytes payload)
{
    (void)owner, (void)channel, (void)payload;
}

static const struct redis_events events = {
    .up = on_up, .down = on_down, .subscribed = on_subscribed, .message = on_message};

static void database_free(struct database *database)
{
    if (database->redis) database->redis->ops->close(database->redis);
    buf_destroy(&database->name);
    xfree(database->app);
    xfree(database);
}

static struct database *database_new(struct databases *databases, struct bytes app, struct bytes url,
                                     struct buf *error)
{
    struct database *database = xcalloc(1, sizeof(*database));
    struct redis_opener *opener = databases->_opener;
    struct buf name = BUF_EMPTY;
    buf_add_bytes(&name, app);
    database->app = buf_take(&name);
    database->databases = databases;
    if (opener) database->redis = opener->open(opener, url, &events, database, error);
    if (!opener || database->redis) return database;
    database_free(database);
    return NULL;
}

struct database *database_ref(struct databases *databases, struct bytes app, struct bytes url, struct buf *error)
{
    struct buf name = BUF_EMPTY;
    buf_add_bytes(&name, app);
    buf_add_char(&name, '\0');
    buf_add_bytes(&name, url);
    struct database *database = dict_get(&databases->_by_name, buf_bytes(&name));
    if (!database) database = database_new(databases, app, url, error);
    if (!database || database->refs++) {
        buf_destroy(&name);
        return database;
    }
    database->name = name;
    dict_set(&databases->_by_name, buf_bytes(&name), database);
    return database;
}

void database_unref(struct database *database)
{
    if (--database->refs) return;
    dict_remove(&database->databases->_by_name, buf_bytes(&database->name));
    database_free(database);
}

uint32_t database_list_add(struct database_list *list, struct database *database)
{
    list->items = xrealloc(list->items, (list->count + 1) * sizeof(struct database *));
    list->items[list->count++] = database;
    return list->count;
}

void database_list_destroy(struct database_list *list)
{
    for (uint32_t i = 0; i < list->count; i++) database_unref(list->items[i]);
    xfree(list->items);
}

struct redis *database_redis(const struct database *database)
{
    return database->redis;
}
