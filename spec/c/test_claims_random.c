/* Random schedules of wishes, releases, memos, cuts, nodes that are stopped or killed, flushes,
 * restarts and servers that come back with older data, on nodes whose messages take their time.
 * What must hold: at no moment two hold a name; fences rise; a memo is what the last holder wrote;
 * what is done in a name is refused once it was granted to another; and when the faults end, what
 * is wished is held within a lease and two seconds. The counts of what happened are printed; a kind
 * that never did fails the test. */
#include "claims_world.h"

enum { SCHEDULES = 60, STEPS = 120 };

static struct {
    int wishes, frees, passes, unwishes, memos, fenced, cuts, stops, kills, flushes, restarts,
        older, slow, grants, continued;
} count;

/* By the server: what was granted, and what was written in a name. */
static struct {
    uint64_t fence;
    char memo[24];
    bool sure;      /* the memo is it, */
    bool forgotten; /* or there may be none */
} model[NAMES];

static int memos_written;

static bool one_in(uint64_t n)
{
    return draw_below(&dice, n) == 0;
}

static int name_of(struct bytes word)
{
    for (int i = 0; i < NAMES; i++)
        if (bytes_is(word, names[i])) return i;
    fail_msg("no such name");
    return -1;
}

static void see_answers(const struct redis_call *call)
{
    for (size_t i = 0; i < call->reply->elements; i++) {
        const redisReply *one = call->reply->element[i];
        const int name = name_of(word_of(call, 10 + 4 * i));
        if (!bytes_is(text_of(one->element[0]), "held")) continue;
        const uint64_t fence = (uint64_t)one->element[1]->integer;
        assert_true(fence > model[name].fence);
        for (int other = 0; other < NODES; other++) assert_false(holds(&nodes[other].own.places[name]));
        const redisReply *memo = one->element[4];
        if (memo->type == REDIS_REPLY_STRING && model[name].sure)
            assert_text(text_of(memo), model[name].memo);
        if (memo->type == REDIS_REPLY_NIL) {
            assert_true(!model[name].sure || model[name].forgotten);
            model[name].sure = false;
        }
        model[name].fence = fence;
        model[name].forgotten = false;
    }
}

static void see_release(const struct redis_call *call)
{
    const int name = name_of(word_of(call, 10));
    redisReply *until = redisCommand(commands, "HGET sluice:claim:%s memo_until", names[name]);
    if (until->type != REDIS_REPLY_NIL) model[name].forgotten = true;
    freeReplyObject(until);
}

static void see_memo(const struct redis_call *call)
{
    const int name = name_of(word_of(call, 5));
    const struct bytes memo = word_of(call, 7);
    if (call->reply->type == REDIS_REPLY_ERROR) {
        if (strncmp(call->reply->str, "FENCED", 6) == 0) count.fenced++;
        return;
    }
    char fence[24];
    snprintf(fence, sizeof(fence), "%llu", (unsigned long long)model[name].fence);
    assert_text(word_of(call, 6), fence); /* nobody's who held it before the one that does */
    snprintf(model[name].memo, sizeof(model[name].memo), "%.*s", (int)memo.size - 1, memo.data + 1);
    model[name].sure = true;
}

static void see(const struct redis_call *call)
{
    enum { FEWEST = 12 }; /* of a publish; a beat has fewer */
    if (!bytes_is(word_of(call, 0), "EVALSHA") || call->count < FEWEST) return;
    if (call->reply->type == REDIS_REPLY_ERROR && !bytes_is(word_of(call, 5), "ask") &&
        !bytes_is(word_of(call, 5), "free"))
        see_memo(call);
    else if (call->reply->type == REDIS_REPLY_ERROR)
        return;
    else if (bytes_is(word_of(call, 5), "ask"))
        see_answers(call);
    else if (bytes_is(word_of(call, 5), "free"))
        see_release(call);
    else
        see_memo(call);
}

static void see_held(struct place *place)
{
    count.grants++;
    assert_true(claim_fence(place->claim) <= model[place->name].fence);
}

/* ---- what happens ---- */

static void forget_model(void)
{
    for (int i = 0; i < NAMES; i++) model[i].sure = false;
}

static void note_continued(void)
{
    for (int i = 0; i < NODES * NAMES; i++)
        if (holds(&nodes[i / NAMES].own.places[i % NAMES])) count.continued++;
}

/* Another process: what is still on its way on the connections of before reaches nobody. */
static void come_back(void)
{
    process_of_server++;
    for (int i = 0; i < NODES; i++)
        if (!nodes[i].dead) cut(&nodes[i], 50 + draw_below(&dice, 3000));
    drop_strays();
    forget_model();
}

static void break_server(void)
{
    note_continued();
    if (one_in(3)) {
        count.flushes++;
        tell_server("FLUSHALL");
        forget_model();
    } else if (one_in(2)) {
        count.restarts++;
        come_back();
    } else {
        count.older++;
        tell_server("SAVE");
        pass(100 + draw_below(&dice, 1500));
        tell_server("DEBUG RELOAD NOSAVE");
        come_back();
    }
}

static void play_claim(struct node *node)
{
    struct place *place = &node->own.places[draw_below(&dice, NAMES)];
    if (!place->claim) {
        count.wishes++;
        wish((int)(node - nodes), place->name);
    } else if (one_in(3)) {
        count.frees++;
        free_place(place, one_in(2) ? 10000 : 0);
    } else if (one_in(4)) {
        if (holds(place) && place->others) count.passes++;
        claim_pass_on(place->claim);
    } else if (one_in(4)) {
        count.unwishes++;
        claim_unwish(place->claim);
        if (one_in(2)) claim_wish(place->claim);
    } else if (place->fence) { /* also where it is not held any more: a node that does not know
                                  better */
        char memo[24];
        count.memos++;
        snprintf(memo, sizeof(memo), "m%d", ++memos_written);
        publish_memo(place, memo);
    }
}

static void play_fault(struct node *node)
{
    switch (draw_below(&dice, 6)) {
    case 0:
        count.cuts++;
        cut(node, one_in(3) ? 3000 + draw_below(&dice, 6000) : draw_below(&dice, 1000));
        break;
    case 1:
        count.stops++;
        stop(node, one_in(2) ? 5000 + draw_below(&dice, 7000) : draw_below(&dice, 3000));
        break;
    case 2:
        if (!one_in(3)) break;
        count.kills++;
        kill_node(node);
        begin_node(node);
        break;
    case 3:
        if (one_in(3)) break_server();
        break;
    case 4:
        count.slow++;
        delay_us = one_in(2) ? 1500000 : 20000;
        break;
    default:
        pass(draw_below(&dice, 4000));
    }
}

static void play_step(void)
{
    struct node *node = &nodes[draw_below(&dice, NODES)];
    if (one_in(8))
        play_fault(node);
    else if (world_us >= node->awake_us)
        play_claim(node);
    pass(draw_below(&dice, one_in(5) ? 2500 : 200));
}

/* Nothing breaks any more: what is wished is held, by one, and stays so. */
static void must_settle(void)
{
    delay_us = 20000;
    for (int i = 0; i < NODES; i++) nodes[i].awake_us = 0;
    pass(6500); /* those that are cut come back */
    pass(CLAIMS_LEASE_MS + 2000);
    for (int name = 0; name < NAMES; name++) {
        bool wished = false, held = false;
        for (int i = 0; i < NODES; i++) {
            struct place *place = &nodes[i].own.places[name];
            if (!place->claim) continue;
            claim_wish(place->claim);
            wished = true;
        }
        pass(1000);
        for (int i = 0; i < NODES; i++) held |= holds(&nodes[i].own.places[name]);
        assert_true(held == wished);
    }
}

static void run_schedule(uint64_t seed)
{
    begin_world(NULL);
    dice = seed * 7919 + 1;
    memset(model, 0, sizeof(model));
    delay_us = 20000;
    on_run = see;
    on_held = see_held;
    for (int i = 0; i < STEPS; i++) play_step();
    must_settle();
    end_nodes();
}

static void no_schedule_breaks_what_is_promised(void **state)
{
    (void)state;
    const char *seed = getenv("CLAIMS_SEED");
    if (seed) {
        run_schedule(strtoull(seed, NULL, 10));
        return;
    }
    for (uint64_t i = 1; i <= SCHEDULES; i++) {
        print_message("seed %llu\n", (unsigned long long)i);
        run_schedule(i);
    }
    const int counts[] = {count.wishes, count.frees,   count.passes,   count.unwishes,
                          count.memos,  count.fenced,  count.cuts,     count.stops,
                          count.kills,  count.flushes, count.restarts, count.older,
                          count.slow,   count.grants,  count.continued};
    print_message(
        "  %d schedules ran: %d wishes, %d grants, %d frees, %d passes, %d unwishes, %d memos, %d "
        "fenced, %d cuts, %d stops, %d kills, %d flushes, %d restarts, %d with older data, %d "
        "held across epochs\n",
        SCHEDULES, count.wishes, count.grants, count.frees, count.passes, count.unwishes,
        count.memos, count.fenced, count.cuts, count.stops, count.kills, count.flushes,
        count.restarts, count.older, count.continued);
    for (size_t i = 0; i < COUNT(counts); i++) assert_true(counts[i] > 0);
    assert_int_equal(errors_logged, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(no_schedule_breaks_what_is_promised, nothing_left)};
    return cmocka_run_group_tests(tests, begin_server, end_server);
}
