/* What a place was said to be, and what it is: the server is told again until both are known to be the same. */
#include "base/text.h"
#include "cluster/crowd_state.h"

/* ---- the cluster's events ---- */

static void on_entered(struct cluster_watcher *watcher, uint32_t index, bool fresh)
{
    struct crowd *crowd = CONTAINER(watcher, struct crowd, watcher);
    struct crowd_server *server = &crowd->servers[index];
    if (!crowd->started) return;
    if (fresh && server->session) {
        server->heir = true;
        LIST_EACH(node, &server->places) {
            struct crowd_place *place = CONTAINER(node, struct crowd_place, _node);
            place->_before = place->_before || place->_there;
            place->_there = false;
        }
    }
    crowd_begin_session(server);
}

static void on_away(struct cluster_watcher *watcher, uint32_t index)
{
    struct crowd *crowd = CONTAINER(watcher, struct crowd, watcher);
    clock_cancel(crowd->ports.clock, &crowd->servers[index].send);
    clock_cancel(crowd->ports.clock, &crowd->servers[index].tend);
}

/* "APP SIZE:TOPIC" and the user behind it. */
static void on_letter(struct cluster_letters *letters, uint32_t index, struct bytes payload)
{
    (void)index;
    struct crowd *crowd = CONTAINER(letters, struct crowd, letters);
    const struct bytes app = buf_bytes(&crowd->app);
    if (payload.size <= app.size || !bytes_equal(bytes_run(payload.data, app.size), app)) return;
    struct bytes entry = bytes_run(payload.data + app.size + 1, payload.size - app.size - 1);
    const char *colon = memchr(entry.data, ':', entry.size);
    if (payload.data[app.size] != ' ' || !colon) return;
    const size_t digits = (size_t)(colon - entry.data);
    const long long size = text_number(bytes_run(entry.data, digits), INT32_MAX);
    entry = bytes_run(colon + 1, entry.size - digits - 1);
    if (size < 0 || (size_t)size > entry.size) return;
    const size_t topic = (size_t)size;
    crowd->events->beaten(crowd->owner, bytes_run(entry.data, topic),
                          bytes_run(entry.data + topic, entry.size - topic));
}

/* ---- life ---- */

struct crowd *crowd_new(struct cluster *cluster, const struct cluster_ports *ports, struct bytes app,
                      const struct crowd_events *events, void *owner)
{
    struct crowd *crowd = xcalloc(1, sizeof(*crowd));
    crowd->cluster = cluster;
    crowd->ports = *ports;
    crowd->events = events;
    crowd->owner = owner;
    buf_add_bytes(&crowd->app, app);
    list_create(&crowd->calls);
    for (uint32_t i = 0; i < CLUSTER_SERVERS; i++) {
        struct crowd_server *server = &crowd->servers[i];
        server->crowd = crowd;
        server->index = i;
        list_create(&server->places);
        list_create(&server->due);
        list_create(&server->settled);
        timer_init(&server->send, crowd_on_send);
        timer_init(&server->tend, crowd_on_tend);
    }
    crowd->watcher.entered = on_entered;
    crowd->watcher.away = on_away;
    cluster_watch(cluster, &crowd->watcher);
    crowd->letters.kind = "crowd";
    crowd->letters.letter = on_letter;
    cluster_letters(cluster, &crowd->letters);
    return crowd;
}

static void give_up(struct crowd_call *call)
{
    static const struct redis_answer over = {.code = "away", .sentence = "the app ends"};
    if (call->done) call->done(call->owner, &over);
    if (call->call) cluster_cancel(call->call);
    list_remove(&call->node);
    xfree(call);
}

void crowd_free(struct crowd *crowd)
{
    cluster_unwatch(&crowd->watcher);
    cluster_no_letters(&crowd->letters);
    LIST_EACH(node, &crowd->calls) give_up(CONTAINER(node, struct crowd_call, node));
    for (uint32_t i = 0; i < CLUSTER_SERVERS; i++) {
        CHECK(list_empty(&crowd->servers[i].places));
        clock_cancel(crowd->ports.clock, &crowd->servers[i].send);
        clock_cancel(crowd->ports.clock, &crowd->servers[i].tend);
    }
    buf_destroy(&crowd->app);
    xfree(crowd);
}

void crowd_start(struct crowd *crowd)
{
    if (crowd->started || crowd->stopped) return;
    crowd->started = true;
    for (uint32_t i = 0; i < cluster_servers(crowd->cluster); i++)
        if (cluster_here(crowd->cluster, i)) crowd_begin_session(&crowd->servers[i]);
}

void crowd_renew(struct crowd *crowd)
{
    for (uint32_t i = 0; crowd->started && i < cluster_servers(crowd->cluster); i++)
        if (cluster_here(crowd->cluster, i)) crowd_begin_session(&crowd->servers[i]);
}

void crowd_stop(struct crowd *crowd)
{
    crowd->stopped = true;
    for (uint32_t i = 0; i < CLUSTER_SERVERS; i++) {
        clock_cancel(crowd->ports.clock, &crowd->servers[i].tend);
        while (!list_empty(&crowd->servers[i].due)) list_remove(crowd->servers[i].due.next);
    }
}

/* ---- places ---- */

static struct crowd_server *server_of(struct crowd *crowd, struct bytes topic)
{
    struct buf name = BUF_EMPTY;
    buf_add_bytes(&name, buf_bytes(&crowd->app));
    buf_add_char(&name, ':');
    buf_add_bytes(&name, topic);
    const uint32_t server = cluster_server_of(crowd->cluster, buf_bytes(&name));
    buf_destroy(&name);
    return &crowd->servers[server];
}

void crowd_add(struct crowd *crowd, struct crowd_place *place, struct bytes topic)
{
    struct crowd_server *server = server_of(crowd, topic);
    place->_server = server->index;
    list_create(&place->_due);
    list_create(&place->_node);
    list_append(&server->places, &place->_node);
}

void crowd_mark(struct crowd *crowd, struct crowd_place *place)
{
    if (!crowd->stopped) crowd_due(&crowd->servers[place->_server], place);
}

bool crowd_settled(const struct crowd_place *place)
{
    return !place->_asked && !place->_said && !place->_before && list_empty(&place->_due);
}

static void forget(struct crowd_call *call, const struct crowd_place *place)
{
    for (uint32_t i = 0; i < call->count; i++)
        if (call->places[i] == place) call->places[i] = NULL;
}

void crowd_remove(struct crowd *crowd, struct crowd_place *place)
{
    list_remove(&place->_due);
    list_remove(&place->_node);
    if (!place->_asked) return;
    LIST_EACH(node, &crowd->calls) forget(CONTAINER(node, struct crowd_call, node), place);
}

/* ---- questions ---- */

struct crowd_call *crowd_ask(struct crowd *crowd, enum crowd_question question, struct bytes topic,
                           struct bytes user, redis_done_f *done, void *owner)
{
    static const char *const questions[] = {"list", "count", "online"};
    struct crowd_server *server = server_of(crowd, topic);
    crowd_send_due(server);
    struct crowd_call *call = crowd_call_new(server, CROWD_ASK, done, owner);
    crowd_run_ask(call, bytes_of(questions[question]), topic, user);
    return call;
}

struct crowd_call *crowd_beat(struct crowd *crowd, struct bytes topic, struct bytes user, struct bytes tag,
                            uint64_t beat_ms, redis_done_f *done, void *owner)
{
    struct crowd_server *server = server_of(crowd, topic);
    crowd_send_due(server);
    struct crowd_call *call = crowd_call_new(server, CROWD_BEAT, done, owner);
    crowd_run_beat(call, topic, user, tag, beat_ms);
    return call;
}

void crowd_cancel(struct crowd_call *call)
{
    call->done = NULL; /* its answer may bring changes all the same */
}
