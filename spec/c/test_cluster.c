/* Which of several servers has a name: all nodes find the same one, and another server takes its share and no more. */
#include "cluster/cluster.h"

#include <stdio.h>

#include "unit.h"

enum { NAMES = 20000 };

/* ---- servers that never answer ---- */

static struct redis_call *start(struct redis *redis, const struct bytes *words, size_t count, redis_done_f *done,
                                void *owner)
{
    (void)redis, (void)words, (void)count, (void)done, (void)owner;
    return NULL;
}

static void close_server(struct redis *redis)
{
    (void)redis;
}

static const struct redis_ops ops = {.start = start, .close = close_server};
static struct redis server = {&ops};

static struct redis *open_server(struct redis_opener *opener, struct bytes url, const struct redis_events *events,
                                 void *owner, struct buf *error)
{
    (void)opener, (void)url, (void)events, (void)owner, (void)error;
    return &server;
}

static uint64_t next(struct random *random)
{
    (void)random;
    return 7;
}

static struct cluster *cluster_of(const char *const *urls, size_t count)
{
    static struct redis_opener opener = {open_server};
    static struct clock clock;
    static struct random random = {next};
    static struct log log;
    const struct cluster_ports ports = {&clock, &random, &log, &opener};
    struct buf error = BUF_EMPTY;
    struct cluster *cluster = cluster_new(&ports, urls, count, BYTES("sluice"), &error);
    assert_non_null(cluster);
    return cluster;
}

static const char *server_of(const struct cluster *cluster, uint32_t number)
{
    char name[40];
    const int size = snprintf(name, sizeof(name), "app:room:%u", number);
    return cluster_identity(cluster, cluster_server_of(cluster, bytes_run(name, (size_t)size)));
}

/* ---- the tests ---- */

static const char *const urls[] = {"redis://a:6379", "redis://b:6379", "redis://c:6379", "redis://d:6379"};

static void each_has_its_share(void **state)
{
    (void)state;
    for (size_t count = 2; count <= 4; count++) {
        uint32_t shares[4] = {0};
        struct cluster *cluster = cluster_of(urls, count);
        for (uint32_t i = 0; i < NAMES; i++) {
            const char *identity = server_of(cluster, i);
            for (size_t at = 0; at < count; at++) shares[at] += strcmp(identity, urls[at]) == 0;
        }
        for (size_t at = 0; at < count; at++)
            assert_in_range(shares[at], NAMES / count * 9 / 10, NAMES / count * 11 / 10);
        cluster_free(cluster);
    }
}

static void all_nodes_find_the_same_whatever_the_order_and_the_password(void **state)
{
    (void)state;
    const char *const others[] = {"redis://c:6379", "redis://user:secret@a:6379", "redis://:other@b:6379"};
    struct cluster *one = cluster_of(urls, 3), *other = cluster_of(others, 3);
    for (uint32_t i = 0; i < NAMES; i++) assert_string_equal(server_of(one, i), server_of(other, i));
    cluster_free(one), cluster_free(other);
}

static void another_server_takes_its_share_and_moves_no_others(void **state)
{
    (void)state;
    struct cluster *before = cluster_of(urls, 3), *after = cluster_of(urls, 4);
    uint32_t moved = 0;
    for (uint32_t i = 0; i < NAMES; i++) {
        const char *was = server_of(before, i), *is = server_of(after, i);
        if (strcmp(was, is) == 0) continue;
        assert_string_equal(is, urls[3]);
        moved++;
    }
    assert_in_range(moved, NAMES / 4 * 9 / 10, NAMES / 4 * 11 / 10);
    cluster_free(before), cluster_free(after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_has_its_share),
        cmocka_unit_test(all_nodes_find_the_same_whatever_the_order_and_the_password),
        cmocka_unit_test(another_server_takes_its_share_and_moves_no_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
