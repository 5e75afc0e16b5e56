#include "server/config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/text.h"
#include "cluster/cluster.h"
#include "http/address.h"
#include "http/proxies.h"
#include "peers/redis_url.h"
#include "script/settings.h"
#include "server/keys.h"
#include "server/worker.h"

struct reading {
    struct config *config;
    struct buf *errors;
};

static void fault(struct reading *reading, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void fault(struct reading *reading, int line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    buf_printf(reading->errors, "%s:%d: ", reading->config->path, line);
    buf_vprintf(reading->errors, format, arguments);
    buf_add_char(reading->errors, '\n');
    va_end(arguments);
}

/* What only the whole shows: of a key, in the line that sets it where one does. */
static void blame(struct reading *reading, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void blame(struct reading *reading, const char *key, const char *format, ...)
{
    const int line = config_line(reading->config, key);
    va_list arguments;
    va_start(arguments, format);
    buf_add_text(reading->errors, reading->config->path);
    if (line) buf_printf(reading->errors, ":%d", line);
    buf_add_text(reading->errors, ": ");
    buf_vprintf(reading->errors, format, arguments);
    buf_add_char(reading->errors, '\n');
    va_end(arguments);
}

static void *slot_of(struct config *config, const struct key *key)
{
    return (char *)config + key->offset;
}

/* ---- setting one key ---- */

static void list_destroy(struct config_list *list)
{
    for (size_t i = 0; i < list->count; i++) xfree(list->items[i]);
    xfree(list->items);
    *list = (struct config_list){NULL, 0};
}

static void set_list(struct config_list *list, const struct bytes *items, size_t count)
{
    list_destroy(list);
    list->items = xcalloc(count, sizeof(char *));
    for (size_t i = 0; i < count; i++) {
        list->items[i] = xmalloc(items[i].size + 1);
        memcpy(list->items[i], items[i].data, items[i].size);
        list->items[i][items[i].size] = '\0';
    }
    list->count = count;
}

static void set_text(char **slot, struct bytes text)
{
    xfree(*slot);
    *slot = xmalloc(text.size + 1);
    memcpy(*slot, text.data, text.size);
    (*slot)[text.size] = '\0';
}

static void expected(struct reading *reading, const struct setting *setting, const char *what)
{
    if (setting->odd_item)
        fault(reading, setting->line, "%s: expected %s, got a list whose item %zu is a %s", setting->name,
              what, setting->odd_item, setting->type_name);
    else
        fault(reading, setting->line, "%s: expected %s, got a %s", setting->name, what,
              setting->type == SETTING_LIST ? "list" : setting->type_name);
}

static void take_list(struct reading *reading, const struct key *key,
                      const struct setting *setting)
{
    if (setting->type == SETTING_TEXT)
        set_list(slot_of(reading->config, key), &setting->text, 1);
    else if (setting->type == SETTING_LIST)
        set_list(slot_of(reading->config, key), setting->items, setting->item_count);
    else
        expected(reading, setting, "a text or a list of texts");
}

static void take_text(struct reading *reading, const struct key *key,
                      const struct setting *setting)
{
    if (setting->type != SETTING_TEXT) {
        expected(reading, setting, "a text");
        return;
    }
    bool chosen = key->type != KEY_CHOICE;
    for (size_t i = 0; !chosen && key->choices[i]; i++)
        chosen = bytes_is(setting->text, key->choices[i]);
    if (chosen) {
        set_text(slot_of(reading->config, key), setting->text);
        return;
    }
    struct buf choices = BUF_EMPTY;
    for (size_t i = 0; key->choices[i]; i++)
        buf_printf(&choices, "%s\"%s\"", i ? ", " : "", key->choices[i]);
    fault(reading, setting->line, "%s: expected one of %s, got \"%.*s\"", key->name,
          buf_text(&choices), (int)setting->text.size, setting->text.data);
    buf_destroy(&choices);
}

static void take_number(struct reading *reading, const struct key *key,
                        const struct setting *setting)
{
    static const char *const units[] = {
        [KEY_COUNT] = "a whole number", [KEY_BYTES] = "a number of bytes", [KEY_SECONDS] = "seconds",
        [KEY_PROCESSES] = "a whole number"};
    if (setting->type != SETTING_NUMBER) {
        expected(reading, setting, units[key->type]);
        return;
    }
    double number = setting->number;
    if (!(number >= key->min && number <= key->max) ||
        (key->type != KEY_SECONDS && number != floor(number))) {
        fault(reading, setting->line, "%s: expected %s from %.15g to %.15g, got %.15g", key->name,
              units[key->type], key->min, key->max, number);
        return;
    }
    uint64_t *slot = slot_of(reading->config, key);
    *slot = (uint64_t)(key->type == KEY_SECONDS ? number * 1000 + 0.5 : number);
}

static void unknown_key(struct reading *reading, const struct setting *setting)
{
    const char **names = xcalloc(key_count + 1, sizeof(*names));
    for (size_t i = 0; i < key_count; i++) names[i] = keys[i].name;
    const char *nearest = text_nearest(setting->name, names);
    fault(reading, setting->line, "unknown key '%s'%s%s%s", setting->name,
          nearest ? "; did you mean '" : "; docs/config.md lists all keys", nearest ? nearest : "",
          nearest ? "'?" : "");
    xfree(names);
}

static void take(void *ctx, const struct setting *setting)
{
    struct reading *reading = ctx;
    const struct key *key = key_find(setting->name);
    if (!key) {
        unknown_key(reading, setting);
        return;
    }
    int *line = &reading->config->lines[key - keys];
    if (*line) {
        fault(reading, setting->line, "%s is set already, in line %d", key->name, *line);
        return;
    }
    *line = setting->line;
    if (key_is_list(key)) {
        take_list(reading, key, setting);
    } else if (key_is_text(key)) {
        take_text(reading, key, setting);
    } else {
        take_number(reading, key, setting);
    }
}

/* ---- defaults, and what only the whole shows ---- */

/* A default's texts, which have no escapes: "a", or { "a", "b" }. */
static void set_standard_list(struct config_list *list, struct bytes lua)
{
    enum { MOST = 32 };
    struct bytes texts[MOST];
    size_t count = 0;
    const char *open = lua.data, *end = lua.data + lua.size;
    while ((open = memchr(open, '"', (size_t)(end - open)))) {
        const char *text = open + 1, *close = memchr(text, '"', (size_t)(end - text));
        CHECK(close && count < MOST);
        texts[count++] = bytes_run(text, (size_t)(close - text));
        open = close + 1;
    }
    set_list(list, texts, count);
}

static void set_standard(struct config *config, const struct key *key)
{
    if (!key->standard) return;
    struct bytes text = bytes_of(key->standard);
    if (key_is_list(key))
        set_standard_list(slot_of(config, key), text);
    else if (key_is_text(key))
        set_text(slot_of(config, key), bytes_run(text.data + 1, text.size - 2)); /* its quotes */
    else
        *(uint64_t *)slot_of(config, key) =
            (uint64_t)(strtod(text.data, NULL) * (key->type == KEY_SECONDS ? 1000 : 1) + 0.5);
}

static bool is_loopback(const char *address)
{
    return strncmp(address, "unix:", 5) == 0 || strncmp(address, "127.", 4) == 0 ||
           strncmp(address, "[::1]:", 6) == 0 || strncmp(address, "localhost:", 10) == 0;
}

static void check_addresses(struct reading *reading, const char *name,
                            const struct config_list *list)
{
    struct address address;
    for (size_t i = 0; i < list->count; i++) {
        struct buf error = BUF_EMPTY;
        if (!address_is_passed(list->items[i]) && !address_read(&address, list->items[i], &error))
            blame(reading, name, "%s: %s", name, buf_text(&error));
        buf_destroy(&error);
    }
}

static void check_proxies(struct reading *reading, const struct config_list *list)
{
    struct proxies proxies = PROXIES_NONE;
    for (size_t i = 0; i < list->count; i++) {
        struct buf error = BUF_EMPTY;
        if (!proxies_add(&proxies, list->items[i], &error))
            blame(reading, "trusted_proxies", "trusted_proxies: %s", buf_text(&error));
        buf_destroy(&error);
    }
    proxies_destroy(&proxies);
}

/* What they share is in Redis; each has an admin listener of its own, which worker_admin finds. */
static void check_workers(struct reading *reading)
{
    const struct config *config = reading->config;
    if (config->workers < 2) return;
    if (!config->redis.count)
        blame(reading, "workers",
              "workers = %llu needs redis: each worker is a node, nodes share nothing without it, and a "
              "trigger would reach the streams of one; set redis, or workers = 1",
              (unsigned long long)config->workers);
    for (size_t i = 0; i < config->admin.count; i++) {
        struct buf last = BUF_EMPTY;
        const char *address = config->admin.items[i];
        if (address_is_passed(address))
            blame(reading, "admin",
                  "admin = \"%s\" is one socket, and each of %llu workers needs its own; set an "
                  "address or a Unix socket",
                  address, (unsigned long long)config->workers);
        else if (!worker_admin(address, (unsigned)config->workers - 1, &last))
            blame(reading, "admin",
                  "admin = \"%s\" is that of the first of %llu workers, and the last one's would be "
                  "%s",
                  address, (unsigned long long)config->workers, buf_text(&last));
        buf_destroy(&last);
    }
}

/* Nodes find a topic's server by what they call it, so one server has one spelling: with its port, without the
 * database 0. */
static char *respelled(const struct redis_url *url, const char *text)
{
    struct buf out = BUF_EMPTY;
    const char *who = strstr(text, "://") + 3, *at = strrchr(who, '@');
    const char *where = strstr(url->shown, "://") + 3;
    if (url->kind == REDIS_URL_UNIX) return xstrdup(text);
    buf_add(&out, url->shown, (size_t)(where - url->shown));
    if (at) buf_add(&out, who, (size_t)(at + 1 - who));
    buf_add_text(&out, where);
    return buf_take(&out);
}

static void respell(char **item, const struct redis_url *url)
{
    char *text = respelled(url, *item);
    xfree(*item);
    *item = text;
}

/* What is said of them is without their passwords: a url that is none is not shown. */
static void check_redis(struct reading *reading, struct config *config)
{
    const struct config_list *list = &config->redis;
    struct redis_url urls[CLUSTER_SERVERS];
    size_t count = 0;
    if (list->count > CLUSTER_SERVERS)
        blame(reading, "redis", "redis: %zu servers, %d at most", list->count, CLUSTER_SERVERS);
    for (size_t i = 0; i < list->count && i < CLUSTER_SERVERS; i++) {
        struct buf error = BUF_EMPTY;
        bool good = redis_url_create(&urls[count], bytes_of(list->items[i]), &error);
        for (size_t j = 0; good && j < count; j++)
            if (!strcmp(urls[j].shown, urls[count].shown))
                buf_printf(&error, "%s is named twice", urls[j].shown);
        if (error.size && list->count > 1)
            blame(reading, "redis", "redis, url %zu: %s", i + 1, buf_text(&error));
        else if (error.size)
            blame(reading, "redis", "redis: %s", buf_text(&error));
        buf_destroy(&error);
        if (good) respell(&list->items[i], &urls[count]);
        count += good;
    }
    while (count) redis_url_destroy(&urls[--count]);
}

/* It stands in keys, channels and patterns, between colons. */
static void check_prefix(struct reading *reading, const struct config *config)
{
    enum { PREFIX_MAX = 64 };
    static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    const char *prefix = config->redis_prefix;
    const size_t size = strlen(prefix);
    if (size < 1 || size > PREFIX_MAX || strspn(prefix, good) != size)
        blame(reading, "redis_prefix",
              "redis_prefix: expected 1 to %d letters, digits, '_', '.' and '-', got \"%s\"", PREFIX_MAX,
              prefix);
}

static void check_whole(struct reading *reading)
{
    const struct config *config = reading->config;
    const size_t before = reading->errors->size;
    if (!config->rules.count)
        blame(reading, "rules", "no rules: set rules = \"rules/app.lua\" (or a list)");
    if (!config->listen.count && !config->listen_trusted.count)
        blame(reading, "listen", "listen is an empty list");
    check_addresses(reading, "listen", &config->listen);
    check_addresses(reading, "listen_trusted", &config->listen_trusted);
    check_addresses(reading, "admin", &config->admin);
    check_proxies(reading, &config->trusted_proxies);
    if (reading->errors->size == before) check_workers(reading);
    check_redis(reading, reading->config);
    check_prefix(reading, config);
    for (size_t i = 0; i < config->admin.count; i++)
        if (!is_loopback(config->admin.items[i]) && !config->admin_key)
            blame(reading, "admin",
                  "admin = \"%s\" is not loopback; set admin_key, or listen on 127.0.0.1 "
                  "or a Unix socket",
                  config->admin.items[i]);
}

static struct config *config_new(const char *path)
{
    struct config *config = xcalloc(1, sizeof(*config));
    config->path = xstrdup(path);
    config->lines = xcalloc(key_count, sizeof(int));
    for (size_t i = 0; i < key_count; i++) set_standard(config, &keys[i]);
    return config;
}

struct config *config_of_rules(const char *const *paths, size_t count)
{
    struct config *config = config_new("the command line");
    list_destroy(&config->rules);
    config->rules = (struct config_list){xcalloc(count, sizeof(char *)), count};
    for (size_t i = 0; i < count; i++) config->rules.items[i] = xstrdup(paths[i]);
    return config;
}

struct config *config_read(const char *path, struct buf *errors)
{
    struct config *config = config_new(path);
    struct reading reading = {config, errors};
    const size_t before = errors->size;
    if (settings_read(path, take, &reading, errors) && errors->size == before)
        check_whole(&reading);
    if (errors->size == before) return config;
    config_free(config);
    return NULL;
}

void config_free(struct config *config)
{
    if (!config) return;
    for (size_t i = 0; i < key_count; i++) {
        void *slot = slot_of(config, &keys[i]);
        if (key_is_list(&keys[i]))
            list_destroy(slot);
        else if (key_is_text(&keys[i]))
            xfree(*(char **)slot);
    }
    xfree(config->lines);
    xfree(config->path);
    xfree(config);
}

int config_line(const struct config *config, const char *key)
{
    return config->lines[key_find(key) - keys];
}

char *config_log_file(const struct config *config)
{
    return config->log_file ? config_resolve(config, config->log_file) : NULL;
}

char *config_resolve(const struct config *config, const char *path)
{
    const char *slash = strrchr(config->path, '/');
    struct buf out = BUF_EMPTY;
    if (path[0] != '/' && slash)
        buf_add(&out, config->path, (size_t)(slash - config->path) + 1);
    buf_add_text(&out, path);
    return buf_take(&out);
}
