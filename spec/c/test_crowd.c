/* Who is there, over three nodes: the real crowd and its scripts on a real redis-server, in the world of claims. */
#include "cluster/crowd.h"

#include "claims_world.h"

enum { PEOPLE = 400, GRACE_MS = 1000 };

/* A user on a node. */
struct person {
    struct crowd_place place;
    char user[16];
    bool known, here, beats;
    uint64_t left_us, beat_us; /* when the last left; until when the last beat counts */
    const char *tags;
};

static struct crowd *crowds[NODES];
static struct person people[NODES][PEOPLE];
static int balance[PEOPLE], onlines[PEOPLE], offlines[PEOPLE];
static int node_of_last; /* that was told */
static uint64_t grace_ms;
static bool taken_back; /* who is told to be offline, at once */
static char asked[256];

static uint64_t left_ms(uint64_t until_us)
{
    return until_us > world_us ? (until_us - world_us) / 1000 : 0;
}

static struct crowd_state describe(void *owner, struct crowd_place *place, struct buf *tags)
{
    (void)owner;
    struct person *person = CONTAINER(place, struct person, place);
    if (person->here && person->beats) buf_add_text(tags, person->tags);
    return (struct crowd_state){.topic = BYTES("room"),
                                .user = bytes_of(person->user),
                                .here = person->here,
                                .grace_ms = grace_ms,
                                .left_ms = left_ms(person->left_us + grace_ms * 1000),
                                .beats = person->beats,
                                .beat_ms = left_ms(person->beat_us)};
}

static int number_of(struct bytes user)
{
    char text[16];
    snprintf(text, sizeof(text), "%.*s", (int)user.size - 1, user.data + 1);
    return atoi(text);
}

static void mark(int node, struct person *person, int number);

static void hear_beat(void *owner, struct bytes topic, struct bytes user)
{
    const int node = (int)((struct crowd **)owner - crowds), number = number_of(user);
    assert_text(topic, "room");
    assert_true(people[node][number].here);
    people[node][number].beat_us = world_us + 3000000;
    mark(node, &people[node][number], number);
}

static void take_back(struct person *person, struct crowd *crowd)
{
    if (!person->known) return;
    crowd_remove(crowd, &person->place);
    person->known = false;
}

static void hear_change(void *owner, struct bytes topic, struct bytes user, bool online)
{
    struct crowd **crowd = owner;
    const int number = number_of(user);
    assert_text(topic, "room");
    node_of_last = (int)(crowd - crowds);
    balance[number] += online ? 1 : -1;
    (online ? onlines : offlines)[number]++;
    if (taken_back && !online) take_back(&people[node_of_last][number], *crowd);
}

static void hear_settled(void *owner, struct crowd_place *place)
{
    struct crowd **crowd = owner;
    struct person *person = CONTAINER(place, struct person, place);
    assert_false(person->here);
    assert_true(person->known);
    take_back(person, *crowd);
}

static const struct crowd_events crowd_events = {describe, hear_beat, hear_change, hear_settled};

static void begin_crowd(int node)
{
    const struct cluster_ports ports = {&nodes[node].clock, &nodes[node].random, &nodes[node].log,
                                        &nodes[node].opener};
    crowds[node] = crowd_new(nodes[node].cluster, &ports, BYTES("app"), &crowd_events, &crowds[node]);
    crowd_start(crowds[node]);
}

static void end_crowd(int node)
{
    for (int i = 0; i < PEOPLE; i++)
        if (people[node][i].known) crowd_remove(crowds[node], &people[node][i].place);
    memset(people[node], 0, sizeof(people[node]));
    crowd_free(crowds[node]);
    crowds[node] = NULL;
}

static void lose_node(int node)
{
    end_crowd(node);
    kill_node(&nodes[node]);
}

static int begin(void **state)
{
    begin_world(state);
    grace_ms = GRACE_MS;
    taken_back = false;
    memset(people, 0, sizeof(people));
    memset(balance, 0, sizeof(balance));
    memset(onlines, 0, sizeof(onlines));
    memset(offlines, 0, sizeof(offlines));
    for (int i = 0; i < NODES; i++) begin_crowd(i);
    pass(500);
    return 0;
}

static int end(void **state)
{
    for (int i = 0; i < NODES; i++)
        if (crowds[i]) end_crowd(i);
    end_nodes();
    return errors_logged ? -1 : nothing_left(state);
}

static void mark(int node, struct person *person, int number)
{
    if (!person->known) {
        person->place = (struct crowd_place){0};
        snprintf(person->user, sizeof(person->user), "u%d", number);
        crowd_add(crowds[node], &person->place, BYTES("room"));
        person->known = true;
    }
    crowd_mark(crowds[node], &person->place);
}

static void come(int node, int number)
{
    struct person *person = &people[node][number];
    person->here = true;
    mark(node, person, number);
}

static void go(int node, int number)
{
    struct person *person = &people[node][number];
    person->here = false;
    person->left_us = world_us;
    mark(node, person, number);
}

static void assert_told(int number, int online, int offline)
{
    assert_int_equal(onlines[number], online);
    assert_int_equal(offlines[number], offline);
}

static void hear_answer(void *owner, const struct redis_answer *answer)
{
    (void)owner;
    size_t at = 0;
    asked[0] = '\0';
    if (!answer->value) snprintf(asked, sizeof(asked), "%s", answer->code);
    if (answer->value && answer->value->kind == REDIS_NUMBER)
        snprintf(asked, sizeof(asked), "%d", (int)answer->value->number);
    for (size_t i = 0; answer->value && i < answer->value->count; i++)
        at += (size_t)snprintf(asked + at, sizeof(asked) - at, "%.*s ", (int)answer->value->items[i].text.size,
                               answer->value->items[i].text.data);
}

static void assert_asked(int node, enum crowd_question question, const char *user, const char *expected)
{
    snprintf(asked, sizeof(asked), "nothing");
    crowd_ask(crowds[node], question, BYTES("room"), bytes_of(user), hear_answer, NULL);
    pass(50);
    assert_string_equal(asked, expected);
}

static void assert_beat(int node, const char *user, const char *tag, const char *expected)
{
    snprintf(asked, sizeof(asked), "nothing");
    crowd_beat(crowds[node], BYTES("room"), bytes_of(user), bytes_of(tag), 3000, hear_answer, NULL);
    pass(50);
    assert_string_equal(asked, expected);
}

/* The same process with its data, as far as nodes can see, or another one. */
static void restart_server(bool empty)
{
    if (empty) tell_server("FLUSHALL");
    process_of_server++;
    for (int i = 0; i < NODES; i++)
        if (!nodes[i].dead) cut(&nodes[i], 300);
}

/* ---- */

static void the_first_and_the_last_of_the_cluster_are_told_once(void **state)
{
    (void)state;
    come(0, 1);
    pass(50);
    assert_told(1, 1, 0);
    assert_int_equal(node_of_last, 0);
    come(1, 1);
    pass(50);
    go(0, 1);
    pass(5000);
    assert_told(1, 1, 0);
    assert_false(people[0][1].known);
    assert_asked(2, CROWD_LIST, "", "u1 ");
    go(1, 1);
    pass(GRACE_MS - 200);
    assert_told(1, 1, 0);
    assert_asked(2, CROWD_ONLINE, "u1", "1");
    pass(400);
    assert_told(1, 1, 1);
    assert_asked(2, CROWD_COUNT, "", "0");
    pass(10000);
    assert_told(1, 1, 1);
    redisReply *keys = ask_server("KEYS sluice:crowd:app:*:room*");
    assert_int_equal(keys->elements, 0);
    freeReplyObject(keys);
}

static void who_is_back_within_the_grace_was_not_away(void **state)
{
    (void)state;
    come(0, 1);
    pass(50);
    go(0, 1);
    pass(GRACE_MS - 200);
    come(1, 1);
    pass(20000);
    assert_told(1, 1, 0);
    assert_asked(0, CROWD_ONLINE, "u1", "1");
}

static void thousands_go_in_few_scripts(void **state)
{
    (void)state;
    scripts_run = 0;
    for (int i = 0; i < PEOPLE; i++) come(0, i);
    pass(20);
    assert_in_range(scripts_run, 4, 8);
    for (int i = 0; i < PEOPLE; i++) assert_told(i, 1, 0);
}

static void who_comes_and_goes_in_a_turn_is_not_said(void **state)
{
    (void)state;
    come(0, 1);
    go(0, 1);
    pass(50);
    assert_told(1, 0, 0);
    assert_false(people[0][1].known);
}

static void a_dead_node_s_users_are_offline_after_its_time_and_the_grace(void **state)
{
    (void)state;
    for (int i = 0; i < PEOPLE; i++) come(0, i);
    come(1, 1);
    pass(2000);
    lose_node(0);
    pass(CLUSTER_DEAD_MS - 1100); /* it had said that it lives a second before */
    for (int i = 0; i < PEOPLE; i++) assert_told(i, 1, 0);
    assert_asked(1, CROWD_COUNT, "", "400");
    pass(1100 + GRACE_MS + 2500);
    for (int i = 0; i < PEOPLE; i++) assert_told(i, 1, i != 1);
    assert_asked(1, CROWD_LIST, "", "u1 ");
}

static void what_was_handed_to_a_node_that_died_is_handed_to_another(void **state)
{
    (void)state;
    delay_us = 200000;
    dice = 7;
    come(0, 1);
    for (int i = 0; i < 100 && scripts_run < 1000; i++) {
        redisReply *there = ask_server("ZCARD sluice:crowd:app:there:room");
        const bool done = there->integer == 1;
        freeReplyObject(there);
        if (done) break;
        pass(5);
    }
    assert_told(1, 0, 0);
    lose_node(0);
    pass(CLUSTER_DEAD_MS + GRACE_MS + 4000);
    assert_told(1, 1, 1);
    assert_true(node_of_last != 0);
}

static void what_was_answered_into_a_lost_connection_is_told_in_the_next(void **state)
{
    (void)state;
    delay_us = 100000;
    for (int round = 0; round < 20; round++) {
        come(0, round);
        pass((uint64_t)round * 10);
        cut(&nodes[0], 50);
        pass(2500);
        assert_told(round, 1, 0);
    }
}

static void what_happens_while_the_server_is_away_is_told_when_it_is_back(void **state)
{
    (void)state;
    come(0, 1);
    come(0, 2);
    pass(100);
    cut(&nodes[0], 3000);
    pass(100);
    come(0, 3);
    go(0, 2);
    come(0, 4);
    go(0, 4);
    assert_asked(0, CROWD_COUNT, "", "away");
    pass(3000);
    assert_told(1, 1, 0);
    assert_told(3, 1, 0);
    assert_told(4, 0, 0);
    pass(CROWD_REGISTER_MS + GRACE_MS + 2500);
    assert_told(1, 1, 0);
    assert_told(2, 1, 1);
    assert_told(3, 1, 0);
}

static void who_was_there_is_there_in_a_fresh_epoch(bool empty)
{
    come(0, 1);
    come(1, 1);
    come(0, 2);
    come(1, 3);
    pass(20000);
    restart_server(empty);
    pass(50);
    go(0, 2);
    come(2, 4);
    pass(3000);
    assert_asked(2, CROWD_ONLINE, "u1", "1");
    assert_told(1, 1, 0);
    assert_told(2, 1, 0);
    assert_told(4, 1, 0);
    go(0, 1);
    go(1, 3);
    pass(CLUSTER_DEAD_MS + CROWD_REGISTER_MS + GRACE_MS + 2500);
    assert_told(1, 1, 0);
    assert_told(2, 1, 1);
    assert_told(3, 1, 1);
    assert_told(4, 1, 0);
}

static void a_flush_makes_nobody_come_or_go(void **state)
{
    (void)state;
    who_was_there_is_there_in_a_fresh_epoch(true);
}

static void a_restart_makes_nobody_come_or_go(void **state)
{
    (void)state;
    who_was_there_is_there_in_a_fresh_epoch(false);
}

static void in_a_fresh_epoch_who_leaves_one_node_may_be_on_another_that_is_not_back_yet(void **state)
{
    (void)state;
    come(0, 1);
    come(1, 1);
    pass(20000);
    restart_server(true);
    cut(&nodes[1], 6000);
    pass(1000);
    go(0, 1);
    pass(3000);
    assert_told(1, 1, 0);
    pass(20000);
    assert_told(1, 1, 0);
    assert_asked(0, CROWD_LIST, "", "u1 ");
}

static void who_was_stopped_for_long_registers_anew(void **state)
{
    (void)state;
    come(0, 1);
    pass(12000);
    stop(&nodes[0], 20000);
    pass(CLUSTER_DEAD_MS + GRACE_MS + 3500);
    assert_told(1, 1, 1);
    pass(10000);
    assert_told(1, 2, 1);
    pass(20000);
    assert_told(1, 2, 1);
}

static void beats_count_wherever_they_come(void **state)
{
    (void)state;
    struct person *person = &people[0][1];
    person->beats = true;
    person->tags = ",one,two,";
    come(0, 1);
    assert_beat(1, "u2", "", "0");
    assert_told(1, 0, 0);
    assert_beat(1, "u1", "three", "0");
    assert_told(1, 0, 0);
    assert_beat(1, "u1", "two", "1");
    assert_told(1, 1, 0);
    assert_int_equal(node_of_last, 1);
    pass(2500);
    assert_beat(2, "u1", "", "1");
    pass(2500);
    assert_told(1, 1, 0);
    pass(700);
    assert_told(1, 1, 1);
    person->beat_us = world_us + 3000000;
    mark(0, person, 1);
    pass(2900);
    assert_told(1, 2, 1);
    pass(300);
    assert_told(1, 2, 2);
    go(0, 1);
    pass(5000);
    assert_beat(1, "u1", "", "0");
    assert_told(1, 2, 2);
}

static void a_beat_that_came_to_another_node_counts_in_a_fresh_epoch(void **state)
{
    (void)state;
    struct person *person = &people[0][1];
    person->beats = true;
    person->tags = ",one,";
    come(0, 1);
    pass(50);
    for (int i = 0; i < 12; i++) {
        assert_beat(1, "u1", "one", "1");
        pass(2000);
    }
    restart_server(true);
    for (int i = 0; i < 12; i++) {
        pass(700);
        assert_beat(1, "u1", "", "1");
    }
    pass(1000);
    assert_told(1, 1, 0);
    pass(20000);
    assert_told(1, 1, 1);
}

static void who_asks_while_a_server_is_entered_does_not_disturb_it(void **state)
{
    (void)state;
    come(0, 1);
    pass(2000);
    tell_server("FLUSHALL");
    for (int i = 0; i < 100; i++) {
        crowd_ask(crowds[0], CROWD_COUNT, BYTES("room"), BYTES(""), hear_answer, NULL);
        pass(5);
    }
    assert_string_equal(asked, "1");
    redisReply *sessions = ask_server("HVALS sluice:crowd:app:sessions");
    for (size_t i = 0; i < sessions->elements; i++) assert_true(atoi(sessions->element[i]->str) <= 2);
    freeReplyObject(sessions);
}

static void what_is_taken_back_is_forgotten_when_the_session_is_renewed(void **state)
{
    (void)state;
    come(0, 1);
    come(0, 2);
    pass(100);
    crowd_remove(crowds[0], &people[0][1].place);
    people[0][1].known = false;
    crowd_renew(crowds[0]);
    pass(CROWD_REGISTER_MS - 500);
    assert_told(1, 1, 0);
    pass(500 + GRACE_MS + 2500);
    assert_told(1, 1, 1);
    assert_told(2, 1, 0);
    assert_asked(1, CROWD_LIST, "", "u2 ");
}

static void a_place_that_is_taken_back_as_its_change_is_told_is_settled(void **state)
{
    (void)state;
    grace_ms = 0;
    taken_back = true;
    for (int i = 0; i < 3; i++) come(0, i);
    pass(50);
    for (int i = 0; i < 3; i++) go(0, i);
    pass(50);
    for (int i = 0; i < 3; i++) assert_told(i, 1, 1);
    for (int i = 0; i < 3; i++) assert_false(people[0][i].known);
}

static void what_was_on_its_way_when_the_session_was_renewed_is_told_once(void **state)
{
    (void)state;
    delay_us = 100000;
    for (int i = 0; i < 10; i++) {
        come(0, i);
        pass(5 + (uint64_t)i * 10);
        crowd_renew(crowds[0]);
        if (i % 2) crowd_renew(crowds[0]);
        pass(3000);
        assert_told(i, 1, 0);
    }
}

static void a_stopped_crowd_says_nothing_more(void **state)
{
    (void)state;
    come(0, 1);
    pass(100);
    crowd_stop(crowds[0]);
    go(0, 1);
    come(0, 2);
    pass(3000);
    assert_told(1, 1, 0);
    assert_told(2, 0, 0);
    lose_node(0);
    come(1, 1);
    pass(20000);
    assert_told(1, 1, 0);
}

/* Nothing is lost and nothing doubled, whatever is cut and stopped. */
static void play_schedule(uint64_t seed)
{
    enum { USERS = 20, STEPS = 600 };
    int cuts = 0, stops = 0;
    delay_us = 60000;
    for (int i = 0; i < STEPS; i++) {
        const int node = (int)draw_below(&seed, NODES), number = (int)draw_below(&seed, USERS);
        if (people[node][number].here)
            go(node, number);
        else
            come(node, number);
        if (draw_below(&seed, 40) == 0) cuts++, cut(&nodes[node], draw_below(&seed, 4000));
        if (draw_below(&seed, 150) == 0) stops++, stop(&nodes[node], draw_below(&seed, 20000));
        pass(draw_below(&seed, 400));
    }
    pass(40000);
    int told = 0;
    for (int i = 0; i < USERS; i++) {
        const bool here = people[0][i].here || people[1][i].here || people[2][i].here;
        assert_int_equal(balance[i], here);
        told += onlines[i] + offlines[i];
    }
    assert_true(cuts > 4 && stops > 0 && told > 50);
    print_message("crowd schedules ran: %d steps, %d cuts, %d stops, %d changes\n", STEPS, cuts, stops, told);
}

static void any_schedule_comes_out_right(void **state)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        play_schedule(seed);
        end(state);
        begin(state);
    }
}

#define WORLD(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD(the_first_and_the_last_of_the_cluster_are_told_once),
        WORLD(who_is_back_within_the_grace_was_not_away),
        WORLD(thousands_go_in_few_scripts),
        WORLD(who_comes_and_goes_in_a_turn_is_not_said),
        WORLD(a_dead_node_s_users_are_offline_after_its_time_and_the_grace),
        WORLD(what_was_handed_to_a_node_that_died_is_handed_to_another),
        WORLD(what_was_answered_into_a_lost_connection_is_told_in_the_next),
        WORLD(what_happens_while_the_server_is_away_is_told_when_it_is_back),
        WORLD(a_flush_makes_nobody_come_or_go),
        WORLD(a_restart_makes_nobody_come_or_go),
        WORLD(in_a_fresh_epoch_who_leaves_one_node_may_be_on_another_that_is_not_back_yet),
        WORLD(who_was_stopped_for_long_registers_anew),
        WORLD(beats_count_wherever_they_come),
        WORLD(a_beat_that_came_to_another_node_counts_in_a_fresh_epoch),
        WORLD(who_asks_while_a_server_is_entered_does_not_disturb_it),
        WORLD(what_is_taken_back_is_forgotten_when_the_session_is_renewed),
        WORLD(a_place_that_is_taken_back_as_its_change_is_told_is_settled),
        WORLD(what_was_on_its_way_when_the_session_was_renewed_is_told_once),
        WORLD(a_stopped_crowd_says_nothing_more),
        WORLD(any_schedule_comes_out_right),
    };
    return cmocka_run_group_tests(tests, begin_server, end_server);
}
