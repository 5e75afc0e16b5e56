#include "cluster/cluster.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "cluster/cluster_state.h"

/* ---- who is told ---- */

void server_tell_entered(struct server *server)
{
    LIST_EACH(node, &server->cluster->watchers) {
        struct cluster_watcher *watcher = CONTAINER(node, struct cluster_watcher, _node);
        watcher->entered(watcher, server->index, server->fresh);
    }
}

void server_tell_away(struct server *server)
{
    LIST_EACH(node, &server->cluster->watchers) {
        struct cluster_watcher *watcher = CONTAINER(node, struct cluster_watcher, _node);
        watcher->away(watcher, server->index);
    }
}

void server_tell_beat(struct server *server, uint64_t place)
{
    LIST_EACH(node, &server->cluster->watchers) {
        struct cluster_watcher *watcher = CONTAINER(node, struct cluster_watcher, _node);
        if (watcher->beat) watcher->beat(watcher, server->index, place);
    }
}

/* ---- questions ---- */

void *asked_new(struct server *server, size_t size)
{
    struct asked *asked = xcalloc(1, size);
    asked->server = server;
    asked->conversation = server->conversation;
    list_create(&asked->node);
    list_append(&server->asked, &asked->node);
    return asked;
}

void asked_free(struct asked *asked)
{
    list_remove(&asked->node);
    xfree(asked);
}

/* ---- channels ---- */

static void whole_name(const struct cluster *cluster, const char *kind, struct bytes name,
                       struct buf *out)
{
    buf_add_bytes(out, buf_bytes(&cluster->prefix));
    buf_add_text(out, kind);
    buf_add_bytes(out, name);
}

void server_subscribe_all(struct server *server)
{
    for (struct dict_entry *entry = NULL; (entry = dict_next(&server->channels, entry));) {
        const struct bytes name = bytes_run(entry->key, entry->key_size);
        server->redis->ops->subscribe(server->redis, &name, 1);
    }
}

void cluster_listen(struct cluster *cluster, uint32_t index, struct bytes name,
                    struct cluster_channel *channel)
{
    CHECK(index < cluster->count && !channel->_name);
    struct server *server = &cluster->servers[index];
    struct buf whole = BUF_EMPTY;
    whole_name(cluster, ":", name, &whole);
    const struct bytes bytes = buf_bytes(&whole);
    channel->_name = atom_get(bytes);
    channel->_server = index;
    CHECK(!dict_set(&server->channels, bytes, channel));
    if (server->state == SERVER_HERE) server->redis->ops->subscribe(server->redis, &bytes, 1);
    buf_destroy(&whole);
}

void cluster_unlisten(struct cluster *cluster, struct cluster_channel *channel)
{
    if (!channel->_name) return;
    struct server *server = &cluster->servers[channel->_server];
    const struct bytes bytes = atom_bytes(channel->_name);
    dict_remove(&server->channels, bytes);
    if (server->state == SERVER_HERE) server->redis->ops->unsubscribe(server->redis, &bytes, 1);
    atom_unref(channel->_name);
    channel->_name = NULL;
}

/* ---- letters ---- */

void server_mailbox_name(const struct cluster *cluster, struct buf *out)
{
    whole_name(cluster, ":node:", cluster_node(cluster), out);
}

bool server_is_mailbox(const struct cluster *cluster, struct bytes channel)
{
    struct buf name = BUF_EMPTY;
    if (channel.size != cluster->prefix.size + strlen(":node:") + CLUSTER_NODE_SIZE) return false;
    server_mailbox_name(cluster, &name);
    const bool is = bytes_equal(buf_bytes(&name), channel);
    buf_destroy(&name);
    return is;
}

void server_take_letter(struct server *server, struct bytes letter)
{
    const char *space = memchr(letter.data, ' ', letter.size);
    if (!space) return;
    const bool here = server->state == SERVER_HERE;
    const struct bytes kind = bytes_run(letter.data, (size_t)(space - letter.data));
    const struct bytes payload = bytes_run(space + 1, letter.size - kind.size - 1);
    if (here && bytes_is(kind, "beat")) server_hear_beat(server, payload);
    LIST_EACH(node, &server->cluster->letters) {
        struct cluster_letters *letters = CONTAINER(node, struct cluster_letters, _node);
        if ((here || letters->always) && bytes_is(kind, letters->kind)) letters->letter(letters, server->index, payload);
    }
}

/* ---- life ---- */

/* "redis://user:password@host:1/0" is "redis://host:1/0" to everybody. */
static char *identity_of(const char *url)
{
    struct buf out = BUF_EMPTY;
    const char *scheme = strstr(url, "://"), *at = strrchr(url, '@');
    if (scheme && at) {
        buf_add(&out, url, (size_t)(scheme - url) + 3);
        buf_add_text(&out, at + 1);
    } else {
        buf_add_text(&out, url);
    }
    return buf_take(&out);
}

static int by_identity(const void *a, const void *b)
{
    return strcmp(((const struct server *)a)->identity, ((const struct server *)b)->identity);
}

/* A single one has all names, however it is spelled. */
static void name_list(struct cluster *cluster)
{
    uint64_t drawn = 0;
    for (uint32_t i = 0; cluster->count > 1 && i < cluster->count; i++) {
        const char *identity = cluster->servers[i].identity;
        drawn = hash_sip((struct hash_key){drawn, i + 1}, identity, strlen(identity));
    }
    snprintf(cluster->list, sizeof(cluster->list), "%016llx", (unsigned long long)drawn);
}

static bool open_server(struct server *server, const char *url, struct buf *error)
{
    struct redis_opener *opener = server->cluster->ports.opener;
    timer_init(&server->tick, server_on_tick);
    list_create(&server->asked);
    server->redis = opener->open(opener, bytes_of(url), &server_events, server, error);
    return server->redis != NULL;
}

struct cluster *cluster_new(const struct cluster_ports *ports, const char *const *urls, size_t count,
                            struct bytes prefix, struct buf *error)
{
    CHECK(count >= 1 && count <= CLUSTER_SERVERS);
    struct cluster *cluster = xcalloc(1, sizeof(*cluster));
    cluster->ports = *ports;
    buf_add_bytes(&cluster->prefix, prefix);
    snprintf(cluster->node, sizeof(cluster->node), "%016llx", (unsigned long long)ports->random->next(ports->random));
    list_create(&cluster->watchers);
    list_create(&cluster->letters);
    cluster->count = (uint32_t)count;
    struct server *sorted = cluster->servers;
    for (size_t i = 0; i < count; i++)
        sorted[i] = (struct server){.cluster = cluster, .identity = identity_of(urls[i]), .conversation = (uint32_t)i};
    qsort(sorted, count, sizeof(*sorted), by_identity);
    name_list(cluster);
    for (uint32_t i = 0; i < count; i++) {
        const char *url = urls[sorted[i].conversation];
        sorted[i].index = i;
        if (open_server(&sorted[i], url, error)) continue;
        cluster_free(cluster);
        return NULL;
    }
    return cluster;
}

void cluster_free(struct cluster *cluster)
{
    CHECK(list_empty(&cluster->watchers) && list_empty(&cluster->letters));
    for (uint32_t i = 0; i < cluster->count; i++) {
        struct server *server = &cluster->servers[i];
        CHECK(server->channels.count == 0);
        if (server->redis) {
            clock_cancel(cluster->ports.clock, &server->tick);
            server->redis->ops->close(server->redis);
            LIST_EACH(node, &server->asked) asked_free(CONTAINER(node, struct asked, node));
        }
        dict_destroy(&server->channels);
        buf_destroy(&server->epoch);
        buf_destroy(&server->secret);
        buf_destroy(&server->said);
        buf_destroy(&server->refused);
        xfree(server->identity);
    }
    buf_destroy(&cluster->prefix);
    xfree(cluster);
}

void cluster_watch(struct cluster *cluster, struct cluster_watcher *watcher)
{
    list_append(&cluster->watchers, &watcher->_node);
}

void cluster_unwatch(struct cluster_watcher *watcher)
{
    list_remove(&watcher->_node);
}

void cluster_letters(struct cluster *cluster, struct cluster_letters *letters)
{
    list_append(&cluster->letters, &letters->_node);
}

void cluster_no_letters(struct cluster_letters *letters)
{
    list_remove(&letters->_node);
}

/* ---- queries ---- */

uint32_t cluster_servers(const struct cluster *cluster)
{
    return cluster->count;
}

/* Every server draws for every name, and the highest wins (Thaler and Ravishankar, "A Name-Based Mapping Scheme
 * for Rendezvous", 1996): another server takes over its share of names and moves no others. All nodes must
 * draw alike, so the key of the hash is nobody's secret. */
uint32_t cluster_server_of(const struct cluster *cluster, struct bytes name)
{
    uint32_t best = 0;
    uint64_t highest = 0;
    if (cluster->count == 1) return 0;
    for (uint32_t i = 0; i < cluster->count; i++) {
        const char *identity = cluster->servers[i].identity;
        const struct hash_key key = {hash_sip((struct hash_key){0, 0}, identity, strlen(identity)), 0};
        const uint64_t drawn = hash_sip(key, name.data, name.size);
        if (drawn < highest) continue;
        highest = drawn;
        best = i;
    }
    return best;
}

bool cluster_here(const struct cluster *cluster, uint32_t index)
{
    return cluster->servers[index].state == SERVER_HERE;
}

bool cluster_is_ready(const struct cluster *cluster)
{
    for (uint32_t i = 0; i < cluster->count; i++) {
        const struct server *server = &cluster->servers[i];
        if (server->state != SERVER_HERE) return false;
        if (cluster_now(cluster) > server->heard_ms + CLUSTER_SILENT_MS) return false;
    }
    return true;
}

struct bytes cluster_node(const struct cluster *cluster)
{
    return bytes_run(cluster->node, CLUSTER_NODE_SIZE);
}

struct bytes cluster_epoch(const struct cluster *cluster, uint32_t index)
{
    return buf_bytes(&cluster->servers[index].epoch);
}

struct bytes cluster_secret(const struct cluster *cluster, uint32_t index)
{
    return buf_bytes(&cluster->servers[index].secret);
}

uint64_t cluster_start(const struct cluster *cluster, uint32_t index)
{
    return cluster->servers[index].start;
}

const char *cluster_identity(const struct cluster *cluster, uint32_t index)
{
    return cluster->servers[index].identity;
}

uint64_t cluster_beat_age_ms(const struct cluster *cluster, uint32_t index)
{
    const uint64_t heard_ms = cluster->servers[index].heard_ms, at = cluster_now(cluster);
    return at > heard_ms ? at - heard_ms : 0;
}

struct bytes cluster_refusal(const struct cluster *cluster, uint32_t index)
{
    return buf_bytes(&cluster->servers[index].refused);
}

bool cluster_evicts(const struct cluster *cluster, uint32_t index)
{
    return cluster->servers[index].evicts;
}

const struct cluster_counters *cluster_counters(const struct cluster *cluster, uint32_t index)
{
    return &cluster->servers[index].counters;
}

const struct redis *cluster_redis(const struct cluster *cluster, uint32_t index)
{
    return cluster->servers[index].redis;
}
