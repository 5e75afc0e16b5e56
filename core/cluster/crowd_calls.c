/* Of the calls of a session, the server answers each in turn; so the number of the newest answer says what arrived.
 *
 * Callbacks come last, when nothing of an answer is to be noted any more; each may take any place back. */
#include <inttypes.h>
#include <stdio.h>

#include "cluster/crowd_state.h"
#include "cluster/scripts.h"

enum {
    FIXED = 5, /* words of a script, */
    EACH = 8,  /* and of an entry */
    DIGITS = 24,
    TEND_MIN_MS = 20,
    JITTER_MS = 20
};

static const int scripts[] = {[CROWD_BEGIN] = SCRIPT_CROWD_BEGIN,
                              [CROWD_SAY] = SCRIPT_CROWD_SAY,
                              [CROWD_TEND] = SCRIPT_CROWD_TEND,
                              [CROWD_BEAT] = SCRIPT_CROWD_SAY,
                              [CROWD_ASK] = SCRIPT_CROWD_ASK};

/* The words of a script; they borrow. */
struct words {
    struct bytes list[FIXED + EACH * CROWD_BATCH];
    size_t count, numbers;
    char digits[8 + 4 * CROWD_BATCH][DIGITS];
};

static void add(struct words *words, struct bytes word)
{
    words->list[words->count++] = word;
}

static void add_number(struct words *words, uint64_t number)
{
    char *digits = words->digits[words->numbers++];
    add(words, bytes_run(digits, (size_t)snprintf(digits, DIGITS, "%" PRIu64, number)));
}

static void on_answer(void *owner, const struct redis_answer *answer);

struct crowd_call *crowd_call_new(struct crowd_server *server, enum crowd_kind kind, redis_done_f *done, void *owner)
{
    struct crowd_call *call = xcalloc(1, sizeof(*call));
    call->server = server;
    call->kind = kind;
    call->done = done;
    call->owner = owner;
    list_append(&server->crowd->calls, &call->node);
    return call;
}

/* What each script of a session is given first. */
static void begin_words(struct crowd_call *call, struct words *words)
{
    struct crowd_server *server = call->server;
    struct crowd *crowd = server->crowd;
    call->session = server->session;
    call->number = ++server->call;
    server->owes = false;
    words->count = words->numbers = 0;
    add(words, buf_bytes(&crowd->app));
    add(words, cluster_node(crowd->cluster));
    add_number(words, call->session);
    add_number(words, call->number);
    add_number(words, server->seen);
}

static void run(struct crowd_call *call, const struct words *words)
{
    struct crowd_server *server = call->server;
    call->call = cluster_run(server->crowd->cluster, server->index, &cluster_scripts[scripts[call->kind]],
                             words->list, words->count, on_answer, call);
}

/* ---- sessions ---- */

static bool is_here(const struct crowd_server *server)
{
    const struct crowd *crowd = server->crowd;
    return crowd->started && cluster_here(crowd->cluster, server->index);
}

static void send_soon(struct crowd_server *server)
{
    if (!timer_armed(&server->send)) clock_after(server->crowd->ports.clock, &server->send, 0);
}

void crowd_due(struct crowd_server *server, struct crowd_place *place)
{
    list_remove(&place->_due);
    list_append(&server->due, &place->_due);
    if (is_here(server)) send_soon(server);
}

static void arm_tending(struct crowd_server *server, uint64_t at_ms)
{
    server->tend_ms = at_ms;
    wheel_arm(&server->crowd->ports.clock->wheel, &server->tend, at_ms);
}

void crowd_begin_session(struct crowd_server *server)
{
    struct words words;
    struct crowd *crowd = server->crowd;
    if (crowd->stopped) return;
    struct crowd_call *call = crowd_call_new(server, CROWD_BEGIN, NULL, NULL);
    server->session++;
    server->call = server->seen = 0;
    server->tended = false;
    begin_words(call, &words);
    add_number(&words, server->heir);
    add_number(&words, server->before);
    add_number(&words, server->before_seen);
    add_number(&words, CROWD_REGISTER_MS);
    run(call, &words);
    LIST_EACH(node, &server->places) crowd_due(server, CONTAINER(node, struct crowd_place, _node));
    crowd_send_due(server);
    arm_tending(server, crowd->ports.clock->now_ms + random_below(crowd->ports.random, CROWD_TEND_MS));
}

/* ---- what the node has ---- */

static bool is_told(const struct crowd_place *place)
{
    return place->_said || place->_before;
}

static void add_state(struct words *words, const struct crowd_state *state, bool before)
{
    add(words, state->here ? BYTES("here") : BYTES("gone"));
    add(words, state->topic);
    add(words, state->user);
    add_number(words, before);
    add_number(words, state->grace_ms);
    add_number(words, state->left_ms);
    if (state->beats)
        add_number(words, state->beat_ms);
    else
        add(words, BYTES("-"));
}

/* One place more of a call. False: there is nothing to say of it. */
static bool say(struct crowd_call *call, struct words *words, struct crowd_place *place, struct buf *tags)
{
    struct crowd *crowd = call->server->crowd;
    const size_t before = tags->size;
    const struct crowd_state state = crowd->events->describe(crowd->owner, place, tags);
    if (!state.here && !is_told(place)) return false;
    /* Once is enough, and more would be doubled: what was said first arrives first. */
    add_state(words, &state, place->_before && !place->_asked);
    add(words, bytes_run(NULL, tags->size - before)); /* where they are is known at the end */
    if (state.here) place->_said = true;
    place->_asked++;
    call->places[call->count] = place;
    call->here[call->count++] = state.here;
    return true;
}

static void point_at_tags(struct words *words, const struct buf *tags)
{
    size_t at = 0;
    for (size_t i = FIXED + EACH - 1; i < words->count; i += EACH) {
        words->list[i].data = tags->size ? tags->data + at : "";
        at += words->list[i].size;
    }
}

static void send_some(struct crowd_server *server)
{
    struct words words;
    struct buf tags = BUF_EMPTY;
    struct crowd_call *call = crowd_call_new(server, CROWD_SAY, NULL, NULL);
    begin_words(call, &words);
    while (!list_empty(&server->due) && call->count < CROWD_BATCH) {
        struct crowd_place *place = CONTAINER(server->due.next, struct crowd_place, _due);
        list_remove(&place->_due);
        if (say(call, &words, place, &tags) || place->_asked) continue;
        list_append(&server->settled, &place->_due);
        send_soon(server);
    }
    point_at_tags(&words, &tags);
    run(call, &words);
    buf_destroy(&tags);
}

void crowd_send_due(struct crowd_server *server)
{
    if (!is_here(server)) return;
    while (!list_empty(&server->due) || server->owes) send_some(server);
}

void crowd_on_send(struct timer *timer)
{
    struct crowd_server *server = CONTAINER(timer, struct crowd_server, send);
    crowd_send_due(server);
    while (!list_empty(&server->settled)) {
        struct crowd_place *place = CONTAINER(server->settled.next, struct crowd_place, _due);
        list_remove(&place->_due);
        server->crowd->events->settled(server->crowd->owner, place);
    }
}

/* ---- what falls to all ---- */

void crowd_on_tend(struct timer *timer)
{
    struct words words;
    struct crowd_server *server = CONTAINER(timer, struct crowd_server, tend);
    if (!is_here(server) || server->tended) return;
    crowd_send_due(server); /* what could not be said before */
    struct crowd_call *call = crowd_call_new(server, CROWD_TEND, NULL, NULL);
    server->tended = true;
    begin_words(call, &words);
    run(call, &words);
}

/* due_ms: of the first entry; negative: there is none. */
static void plan_tending(struct crowd_server *server, int64_t due_ms, bool more)
{
    const struct cluster_ports *ports = &server->crowd->ports;
    if (server->tended || server->crowd->stopped) return;
    uint64_t wait_ms = CROWD_TEND_MS - random_below(ports->random, CROWD_TEND_MS / 4);
    if (due_ms >= 0 && (uint64_t)due_ms < wait_ms)
        wait_ms = (uint64_t)due_ms + 1 + random_below(ports->random, JITTER_MS);
    if (wait_ms < TEND_MIN_MS) wait_ms = TEND_MIN_MS;
    if (more) wait_ms = 0;
    const uint64_t at_ms = ports->clock->now_ms + wait_ms;
    if (!timer_armed(&server->tend) || at_ms < server->tend_ms) arm_tending(server, at_ms);
}

/* ---- answers ---- */

/* "ok", when the next is due, is there more, changes, flags. */
struct reading {
    int64_t due_ms;
    bool more;
    const struct redis_value *changes, *flags;
};

static bool is_reading(const struct redis_value *value, struct reading *reading)
{
    static const enum redis_kind kinds[] = {REDIS_TEXT, REDIS_NUMBER, REDIS_NUMBER, REDIS_LIST, REDIS_LIST};
    if (!value || value->kind != REDIS_LIST || value->count != 5) return false;
    for (size_t i = 0; i < 5; i++)
        if (value->items[i].kind != kinds[i]) return false;
    *reading = (struct reading){value->items[1].number, value->items[2].number == 1, &value->items[3],
                                &value->items[4]};
    return true;
}

static bool is_over(const struct redis_value *value)
{
    return value && value->kind == REDIS_LIST && value->count == 1;
}

static bool flag_of(const struct reading *reading, size_t index)
{
    return index < reading->flags->count && reading->flags->items[index].number == 1;
}

/* What the server has of the places now. */
static void note_places(struct crowd_call *call, const struct reading *reading)
{
    for (uint32_t i = 0; i < call->count; i++) {
        struct crowd_place *place = call->places[i];
        if (!place) continue;
        place->_before = false;
        place->_there = flag_of(reading, i);
        if (!call->here[i] && place->_asked == 1) place->_said = false;
    }
}

/* They are said again: at once in another session, else when it is tended. */
static void note_failed(struct crowd_call *call)
{
    struct crowd_server *server = call->server;
    for (uint32_t i = 0; i < call->count && !server->crowd->stopped; i++) {
        struct crowd_place *place = call->places[i];
        if (place && list_empty(&place->_due)) list_append(&server->due, &place->_due);
    }
}

static void tell_changes(struct crowd *crowd, const struct redis_value *changes)
{
    for (size_t i = 0; i + 2 < changes->count; i += 3)
        crowd->events->changed(crowd->owner, changes->items[i].text, changes->items[i + 1].text,
                              bytes_is(changes->items[i + 2].text, "online"));
}

/* Each is the call's until its own turn, so that whoever takes it back before is heard here. */
static void let_places_go(struct crowd_call *call, bool told)
{
    struct crowd *crowd = call->server->crowd;
    for (uint32_t i = 0; i < call->count; i++) {
        struct crowd_place *place = call->places[i];
        if (!place) continue;
        call->places[i] = NULL;
        place->_asked--;
        if (told && crowd_settled(place)) crowd->events->settled(crowd->owner, place);
    }
}

static void complain(struct crowd_server *server, const struct redis_answer *answer)
{
    if (server->broken) return;
    server->broken = true;
    LOG(server->crowd->ports.log, LOG_ERROR, "redis does not understand who is there",
        F_BYTES("app", buf_bytes(&server->crowd->app)),
        F_TEXT("answer", answer->value ? "a strange answer" : answer->sentence));
}

/* An answer of this session. */
static void take(struct crowd_call *call, const struct reading *reading)
{
    struct crowd_server *server = call->server;
    server->broken = false;
    server->seen = call->number;
    if (call->kind == CROWD_BEGIN) {
        server->before = call->session;
        server->heir = false;
    }
    if (server->before == call->session) server->before_seen = call->number;
    note_places(call, reading);
    if (reading->changes->count) {
        server->owes = true;
        send_soon(server);
    }
    plan_tending(server, reading->due_ms, reading->more);
}

static void fail(struct crowd_call *call, const struct redis_answer *answer)
{
    struct crowd_server *server = call->server;
    note_failed(call);
    if (call->session != server->session || !is_here(server)) return;
    if (is_over(answer->value)) {
        crowd_begin_session(server);
        return;
    }
    if (answer->value || strcmp(answer->code, "error") == 0) complain(server, answer);
    plan_tending(server, -1, false);
}

static void answer_asker(const struct crowd_call *call, const struct redis_answer *answer,
                         const struct reading *reading)
{
    static const struct redis_answer away = {
        .code = "away", .sentence = "this node was taken for dead, and is about to say that it lives"};
    const struct redis_value flag = {.kind = REDIS_NUMBER, .number = reading && flag_of(reading, 0)};
    const struct redis_answer counts = {.value = &flag};
    if (!call->done) return;
    if (call->kind == CROWD_ASK || answer->code)
        call->done(call->owner, answer);
    else
        call->done(call->owner, reading ? &counts : &away);
}

/* What a session that is over was answered is handed again by the next, which does not know that it has arrived. */
static void on_answer(void *owner, const struct redis_answer *answer)
{
    struct crowd_call *call = owner;
    struct crowd_server *server = call->server;
    struct reading reading;
    const bool read = call->kind != CROWD_ASK && is_reading(answer->value, &reading);
    const bool current = read && call->session == server->session;
    call->call = NULL;
    if (call->kind == CROWD_TEND && call->session == server->session) server->tended = false;
    if (current)
        take(call, &reading);
    else if (call->kind != CROWD_ASK)
        fail(call, answer);
    if (current) tell_changes(server->crowd, reading.changes);
    let_places_go(call, read);
    answer_asker(call, answer, read ? &reading : NULL);
    list_remove(&call->node);
    xfree(call);
}

/* ---- questions ---- */

void crowd_run_ask(struct crowd_call *call, struct bytes question, struct bytes topic, struct bytes user)
{
    struct words words;
    words.count = 0;
    add(&words, buf_bytes(&call->server->crowd->app));
    add(&words, question);
    add(&words, topic);
    add(&words, user);
    run(call, &words);
}

void crowd_run_beat(struct crowd_call *call, struct bytes topic, struct bytes user, struct bytes tag,
                   uint64_t beat_ms)
{
    struct words words;
    begin_words(call, &words);
    add(&words, BYTES("beat"));
    add(&words, topic);
    add(&words, user);
    for (int i = 0; i < 3; i++) add(&words, BYTES("0")); /* what is said of places alone */
    add_number(&words, beat_ms);
    add(&words, tag);
    run(call, &words);
}
