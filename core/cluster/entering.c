/* Entering a server is one conversation: who are you (INFO), take our scripts, which epoch is it, subscribe the
 * mailbox. It is here when the last answer and the mailbox are; what comes of an earlier conversation meets a
 * number and is dropped. */
#include <inttypes.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/text.h"
#include "cluster/cluster_state.h"

enum { SECRET_SIZE = 64, SAY_AGAIN_MS = 60000 };

enum { ASK_INFO, ASK_ENTER, ASK_LOAD /* and the script's number */ };

struct question {
    struct asked asked;
    int what;
};

/* It cannot be used any more. */
void server_leave(struct server *server, const char *why)
{
    const bool was_here = server->state == SERVER_HERE;
    server->conversation++;
    server->state = SERVER_AWAY;
    server_quiet(server);
    if (!was_here) return;
    server->counters.aways++;
    LOG(server->cluster->ports.log, LOG_WARN, "redis is away", F_TEXT("server", server->identity),
        F_TEXT("why", why));
    server_tell_away(server);
}

void server_give_up(struct server *server, const char *why)
{
    const uint64_t now_ms = cluster_now(server->cluster);
    const bool same = bytes_equal(buf_bytes(&server->said), bytes_of(why));
    if (!same || now_ms - server->said_ms >= SAY_AGAIN_MS) {
        LOG(server->cluster->ports.log, LOG_ERROR, "redis cannot be used",
            F_TEXT("server", server->identity), F_TEXT("why", why));
        buf_clear(&server->said);
        buf_add_text(&server->said, why);
        server->said_ms = now_ms;
    }
    server->redis->ops->restart(server->redis, why);
}

/* ---- the conversation ---- */

static void fail_entering(struct server *server, const struct redis_answer *answer)
{
    const char *why = answer->sentence ? answer->sentence : answer->code;
    server->conversation++;
    server->state = SERVER_AWAY;
    server_give_up(server, why);
}

static void begin(struct server *server)
{
    struct cluster *cluster = server->cluster;
    server->state = SERVER_HERE;
    server->counters.entered++;
    server->counters.epochs += server->fresh;
    LOG(cluster->ports.log, LOG_INFO, "redis is here", F_TEXT("server", server->identity),
        F_BYTES("epoch", buf_bytes(&server->epoch)), F_NUMBER("fresh", server->fresh));
    server_beat(server);
    server_tell_entered(server);
    if (server->state == SERVER_HERE) server_subscribe_all(server);
}

static void settle(struct server *server)
{
    if (server->state == SERVER_ENTERING && !server->open_answers && server->mailbox) begin(server);
}

/* What INFO says behind a name and its colon; empty: nothing. */
static struct bytes find_line(struct bytes info, struct bytes name)
{
    while (info.size) {
        struct bytes line = text_take_line(&info);
        if (line.size && line.data[line.size - 1] == '\r') line.size--;
        if (line.size > name.size && memcmp(line.data, name.data, name.size) == 0)
            return bytes_run(line.data + name.size, line.size - name.size);
    }
    return BYTES("");
}

/* With a bound of memory and another policy than noeviction it drops keys, and nobody is told. CONFIG GET would say so,
 * too, but is often forbidden. */
static void look_at_memory(struct server *server, struct bytes info)
{
    const struct bytes bound = find_line(info, BYTES("maxmemory:")),
                       policy = find_line(info, BYTES("maxmemory_policy:"));
    const bool evicted = server->evicts;
    server->evicts = bound.size && !bytes_is(bound, "0") && policy.size && !bytes_is(policy, "noeviction");
    if (server->evicts && !evicted)
        LOG(server->cluster->ports.log, LOG_WARN, "redis may forget: set maxmemory-policy to noeviction",
            F_TEXT("server", server->identity), F_BYTES("policy", policy), F_BYTES("maxmemory", bound));
}

static void ask(struct server *server, int what, const struct bytes *words, size_t count,
                redis_done_f *done)
{
    struct question *question = asked_new(server, sizeof(*question));
    question->what = what;
    server->open_answers++;
    server->redis->ops->start(server->redis, words, count, done, question);
}

static void take_epoch(struct server *server, const struct redis_value *value)
{
    const struct redis_value *items = value->items;
    server->fresh = !bytes_equal(buf_bytes(&server->epoch), items[0].text);
    buf_clear(&server->epoch);
    buf_add_bytes(&server->epoch, items[0].text);
    buf_clear(&server->secret);
    buf_add_bytes(&server->secret, items[1].text);
    server->start = script_number(&items[2]);
}

static void write_random(struct random *random, size_t size, char *out)
{
    for (size_t at = 0; at < size; at += 16)
        snprintf(out + at, 17, "%016" PRIx64, random->next(random));
}

static void on_asked(void *owner, const struct redis_answer *answer);

static void ask_epoch(struct server *server, struct bytes run_id)
{
    struct cluster *cluster = server->cluster;
    const struct cluster_script *script = &cluster_scripts[SCRIPT_ENTER];
    char id[17], secret[SECRET_SIZE + 1], alive[24];
    write_random(cluster->ports.random, 16, id);
    write_random(cluster->ports.random, SECRET_SIZE, secret);
    snprintf(alive, sizeof(alive), "%d", CLUSTER_DEAD_MS);
    const struct bytes words[] = {BYTES("EVAL"),
                                  bytes_run(script->text, (size_t)(script->end - script->text)),
                                  BYTES("1"),
                                  buf_bytes(&cluster->prefix),
                                  run_id,
                                  bytes_of(id),
                                  bytes_of(secret),
                                  cluster_node(cluster),
                                  bytes_of(alive),
                                  bytes_of(cluster->list)};
    ask(server, ASK_ENTER, words, sizeof(words) / sizeof(words[0]), on_asked);
}

static bool understand(struct server *server, int what, const struct redis_value *value)
{
    if (what == ASK_INFO) {
        const struct bytes info = value->kind == REDIS_TEXT ? value->text : BYTES(""),
                           run_id = find_line(info, BYTES("run_id:"));
        if (!run_id.size) return false;
        look_at_memory(server, info);
        ask_epoch(server, run_id);
        return true;
    }
    if (what == ASK_ENTER) {
        if (value->kind != REDIS_LIST || value->count != 3) return false;
        take_epoch(server, value);
        return true;
    }
    if (value->kind != REDIS_TEXT || value->text.size != SHA_SIZE) return false;
    memcpy(server->cluster->shas[what - ASK_LOAD], value->text.data, SHA_SIZE);
    return true;
}

static void on_asked(void *owner, const struct redis_answer *answer)
{
    static const struct redis_answer strange = {.code = "error", .sentence = "a strange answer"};
    struct question *question = owner;
    struct server *server = question->asked.server;
    const bool current = question->asked.conversation == server->conversation && server->state == SERVER_ENTERING;
    const int what = question->what;
    asked_free(&question->asked);
    if (!current) return;
    server->open_answers--;
    if (!answer->value) {
        if (strcmp(answer->code, "error") == 0) fail_entering(server, answer);
        return; /* else the connection is lost, and `down` comes */
    }
    if (understand(server, what, answer->value))
        settle(server);
    else
        fail_entering(server, &strange);
}

void server_enter(struct server *server)
{
    struct cluster *cluster = server->cluster;
    struct redis *redis = server->redis;
    struct buf mailbox = BUF_EMPTY;
    server->state = SERVER_ENTERING;
    server->conversation++;
    server->open_answers = 0;
    const struct bytes info[] = {BYTES("INFO"), BYTES("server"), BYTES("memory")};
    ask(server, ASK_INFO, info, 3, on_asked);
    for (int i = 0; i < SCRIPTS; i++) {
        const struct cluster_script *script = &cluster_scripts[i];
        const struct bytes load[] = {BYTES("SCRIPT"), BYTES("LOAD"),
                                     bytes_run(script->text, (size_t)(script->end - script->text))};
        if (i != SCRIPT_ENTER) ask(server, ASK_LOAD + i, load, 3, on_asked);
    }
    server_mailbox_name(cluster, &mailbox);
    const struct bytes name = buf_bytes(&mailbox);
    if (!server->mailbox) redis->ops->subscribe(redis, &name, 1);
    buf_destroy(&mailbox);
}

/* ---- the server's events ---- */

static void on_up(void *owner)
{
    struct server *server = owner;
    server->mailbox = false;
    server_enter(server);
}

static void on_down(void *owner, const char *why)
{
    server_leave(owner, why);
}

static void on_subscribed(void *owner, struct bytes name)
{
    struct server *server = owner;
    if (server_is_mailbox(server->cluster, name)) {
        server->mailbox = true;
        settle(server);
        return;
    }
    struct cluster_channel *channel = dict_get(&server->channels, name);
    if (channel && server->state == SERVER_HERE) channel->subscribed(channel);
}

static void on_message(void *owner, struct bytes name, struct bytes payload)
{
    struct server *server = owner;
    if (server_is_mailbox(server->cluster, name)) {
        server_take_letter(server, payload);
        return;
    }
    struct cluster_channel *channel = dict_get(&server->channels, name);
    if (channel && server->state == SERVER_HERE) channel->message(channel, payload);
}

const struct redis_events server_events = {on_up, on_down, on_subscribed, on_message};

