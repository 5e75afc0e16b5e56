/* Silence is judged by beats: the last that came back must not be too long ago. Who was stopped itself has a late
 * tick, and gives the server the time that it did not give. */
#include <inttypes.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/text.h"
#include "cluster/cluster_state.h"

enum { TICK_LATE_MS = CLUSTER_BEAT_MS / 2 };

/* A script that runs for somebody. */
struct cluster_call {
    struct asked asked;
    struct redis_call *call;
    redis_done_f *done;
    void *owner;
    bool early; /* the server was not here yet: it refuses what names no epoch */
};

/* ---- scripts that run for others ---- */

static bool begins_with(const char *text, const char *word)
{
    return text && strncmp(text, word, strlen(word)) == 0;
}

static void on_ran(void *owner, const struct redis_answer *answer)
{
    struct cluster_call *call = owner;
    struct server *server = call->asked.server;
    struct redis_answer said = *answer;
    const bool error = said.code && strcmp(said.code, "error") == 0;
    const bool stale = error && (begins_with(said.sentence, "EPOCH") || begins_with(said.sentence, "NOSCRIPT"));
    if (stale) said.code = call->early ? "away" : "epoch";
    if (error && begins_with(said.sentence, "FENCED")) said.code = "fenced";
    const bool current = call->asked.conversation == server->conversation && !call->early;
    redis_done_f *done = call->done;
    void *asker = call->owner;
    asked_free(&call->asked); /* who hears that the server is away gives up what it asked */
    done(asker, &said);
    if (stale && current) cluster_reenter(server->cluster, server->index, said.sentence);
}

struct cluster_call *cluster_run(struct cluster *cluster, uint32_t index,
                                 const struct cluster_script *script, const struct bytes *arguments,
                                 size_t count, redis_done_f *done, void *owner)
{
    enum { FIXED = 5 };
    CHECK(index < cluster->count);
    struct server *server = &cluster->servers[index];
    struct bytes few[32], *words = few;
    if (count + FIXED > sizeof(few) / sizeof(few[0])) words = xmalloc((count + FIXED) * sizeof(*words));
    words[0] = BYTES("EVALSHA");
    words[1] = bytes_run(cluster->shas[script - cluster_scripts], SHA_SIZE);
    words[2] = BYTES("1");
    words[3] = buf_bytes(&cluster->prefix);
    /* While it is entered nobody knows in which epoch it is: "-" is none, which each script refuses. */
    words[4] = server->state == SERVER_HERE ? buf_bytes(&server->epoch) : BYTES("-");
    if (count) memcpy(words + FIXED, arguments, count * sizeof(*words));
    struct cluster_call *call = asked_new(server, sizeof(*call));
    call->done = done;
    call->owner = owner;
    call->early = server->state != SERVER_HERE;
    call->call = server->redis->ops->start(server->redis, words, count + FIXED, on_ran, call);
    if (words != few) xfree(words);
    return call;
}

void cluster_reenter(struct cluster *cluster, uint32_t index, const char *why)
{
    struct server *server = &cluster->servers[index];
    if (server->state != SERVER_HERE) return;
    server_leave(server, why);
    server_enter(server);
}

void cluster_restart(struct cluster *cluster, uint32_t index, const char *why)
{
    server_give_up(&cluster->servers[index], why);
}

void cluster_cancel(struct cluster_call *call)
{
    call->asked.server->redis->ops->cancel(call->asked.server->redis, call->call);
    asked_free(&call->asked);
}

/* ---- beats ---- */

/* What matters is what comes back through the mailbox; what Redis says to a beat that it refused is why nothing does. */
static void on_beaten(void *owner, const struct redis_answer *answer)
{
    struct server *server = owner;
    server->beating = false;
    if (answer->value) buf_clear(&server->refused);
    if (answer->value || strcmp(answer->code, "error") != 0) return;
    buf_clear(&server->refused);
    buf_add_text(&server->refused, answer->sentence);
}

static void beat(struct server *server)
{
    struct cluster *cluster = server->cluster;
    char alive[24], number[24];
    server->beating = true;
    snprintf(alive, sizeof(alive), "%d", CLUSTER_DEAD_MS);
    snprintf(number, sizeof(number), "%" PRIu64, ++server->beats);
    const struct bytes arguments[] = {cluster_node(cluster), bytes_of(alive), bytes_of(number),
                                      bytes_of(cluster->list)};
    cluster_run(cluster, server->index, &cluster_scripts[SCRIPT_BEAT], arguments, 4, on_beaten, server);
}

static void restart_silent(struct server *server)
{
    char why[256];
    const char *refused = buf_text(&server->refused);
    snprintf(why, sizeof(why), "no beat came back%s%s", *refused ? ": " : "", refused);
    server->redis->ops->restart(server->redis, why);
}

void server_on_tick(struct timer *timer)
{
    struct server *server = CONTAINER(timer, struct server, tick);
    struct clock *clock = server->cluster->ports.clock;
    const uint64_t late_ms = clock->now_ms - server->ticked_ms - CLUSTER_BEAT_MS;
    if (late_ms > TICK_LATE_MS) server->heard_ms += late_ms; /* nobody was here to hear it */
    server->ticked_ms = clock->now_ms;
    clock_after(clock, timer, CLUSTER_BEAT_MS);
    if (clock->now_ms > server->heard_ms + CLUSTER_SILENT_MS)
        restart_silent(server);
    else
        beat(server);
}

void server_hear_beat(struct server *server, struct bytes payload)
{
    uint64_t number; /* of the beat, which nobody asks for */
    if (!text_take_number(&payload, ' ', &number)) return;
    server->heard_ms = cluster_now(server->cluster);
    const long long place = text_number(payload, INT64_MAX);
    if (place >= 0) server_tell_beat(server, (uint64_t)place);
}

void cluster_hasten_beat(struct cluster *cluster, uint32_t index)
{
    struct server *server = &cluster->servers[index];
    if (server->state == SERVER_HERE && !server->beating) beat(server);
}

void server_beat(struct server *server)
{
    server->ticked_ms = server->heard_ms = cluster_now(server->cluster);
    buf_clear(&server->refused);
    clock_after(server->cluster->ports.clock, &server->tick, CLUSTER_BEAT_MS);
    beat(server);
}

void server_quiet(struct server *server)
{
    clock_cancel(server->cluster->ports.clock, &server->tick);
}

