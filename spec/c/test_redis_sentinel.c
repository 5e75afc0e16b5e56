/* A master that a real sentinel watches: found, followed as it moves, and given up when it is none any more. */
#include "redis_world.h"

static struct process master, replica, sentinel;

static void begin_sentinel(void)
{
    char path[96];
    snprintf(path, sizeof(path), "%s/conf", sentinel.dir);
    FILE *file = fopen(path, "w");
    fprintf(file,
            "sentinel monitor my-master 127.0.0.1 %d 1\n"
            "sentinel down-after-milliseconds my-master 400\n"
            "sentinel failover-timeout my-master 1000\n",
            master.port);
    fclose(file);
    process_start(&sentinel, (const char *const[]){path, "--sentinel", NULL});
}

static bool replica_is_known(void)
{
    char port[16];
    snprintf(port, sizeof(port), "\r\n%d\r\n", replica.port);
    const char *text = tell_server(sentinel.port, "SENTINEL replicas my-master");
    return strstr(text, port) && strstr(text, "master-link-status\r\n$2\r\nok\r\n");
}

static int begin(void **state)
{
    (void)state;
    loop = loop_new();
    loop_log(loop)->level = LOG_ERROR;
    opener = redis_peer_new(loop, &(struct redis_peer_limits){.connect_timeout_ms = 500,
                                                              .timeout_ms = 1000});
    process_place(&master);
    process_place(&replica);
    process_place(&sentinel);
    char port[16];
    snprintf(port, sizeof(port), "%d", master.port);
    redis_start(&master, (const char *const[]){"--repl-diskless-sync-delay", "0", NULL});
    redis_start(&replica, (const char *const[]){"--replicaof", "127.0.0.1", port,
                                                "--repl-diskless-sync-delay", "0", NULL});
    begin_sentinel();
    return 0;
}

static int end(void **state)
{
    if (redis_peer_status(opener, 0, &(struct redis_peer_status){0})) return -1; /* the test failed */
    redis_peer_free(opener);
    process_remove(&master);
    process_remove(&replica);
    process_remove(&sentinel);
    buf_destroy(&told);
    loop_free(loop);
    return nothing_left(state);
}

static struct redis *open_master(void)
{
    /* The first sentinel is not there. */
    return open_url("redis-sentinel://127.0.0.1:%d,127.0.0.1:%d/2#my-master", free_port(),
                    sentinel.port);
}

static void the_master_is_found_and_followed(void **state)
{
    (void)state;
    assert_true(turn_until(replica_is_known, 15000));
    char first[32], second[32];
    snprintf(first, sizeof(first), "port = ['port' '%d']\n", master.port);
    snprintf(second, sizeof(second), "port = ['port' '%d']\n", replica.port);
    struct redis *redis = open_master();
    await("up\n", 5000);
    call(redis, "port", "CONFIG GET port");
    await(first, 2000);

    buf_clear(&told);
    assert_non_null(strstr(tell_server(sentinel.port, "SENTINEL failover my-master"), "+OK"));
    await("down", 15000);
    await("up\n", 15000);
    call(redis, "port", "CONFIG GET port");
    call(redis, "set", "SET a 1");
    await("set = 'OK'\n", 2000);
    assert_non_null(strstr(buf_text(&told), second));
    redis->ops->close(redis);
}

static void a_dead_master_is_replaced(void **state)
{
    (void)state;
    assert_true(turn_until(replica_is_known, 15000));
    struct redis *redis = open_master();
    await("up\n", 5000);
    process_end(&master);
    await("down", 2000);
    buf_clear(&told);
    await("up\n", 20000);
    char port[32];
    snprintf(port, sizeof(port), "port = ['port' '%d']\n", replica.port);
    call(redis, "port", "CONFIG GET port");
    await(port, 2000);
    redis->ops->close(redis);
}

static bool is_no_master(void)
{
    return !strcmp(status().why, "the server is not the master");
}

static void who_is_no_master_any_more_is_given_up(void **state)
{
    (void)state;
    struct redis *redis = open_master();
    await("up\n", 5000);
    char line[64];
    snprintf(line, sizeof(line), "REPLICAOF 127.0.0.1 %d", replica.port);
    assert_non_null(strstr(tell_server(replica.port, "REPLICAOF NO ONE"), "+OK"));
    assert_non_null(strstr(tell_server(master.port, line), "+OK"));
    call(redis, "set", "SET a 1");
    await("down: the server is not the master any more\n", 5000);
    assert_non_null(strstr(buf_text(&told), "set = error, READONLY "));
    buf_clear(&told);
    assert_true(turn_until(is_no_master, 5000)); /* its ROLE says it, whatever the sentinel believes */
    assert_int_equal(told.size, 0);
    assert_non_null(strstr(tell_server(master.port, "REPLICAOF NO ONE"), "+OK"));
    await("up\n", 15000);
    redis->ops->close(redis);
}

static bool tried_twice(void)
{
    return status().failures >= 2;
}

static void what_sentinels_do_not_know_is_told(void **state)
{
    (void)state;
    struct redis *redis = open_url("redis-sentinel://127.0.0.1:%d#other", sentinel.port);
    assert_true(turn_until(tried_twice, 5000));
    assert_non_null(strstr(status().why, ": it knows no master of that name"));
    redis->ops->close(redis);
    redis = open_url("redis-sentinel://127.0.0.1:%d#my-master", master.port);
    assert_true(turn_until(tried_twice, 5000));
    assert_non_null(strstr(status().why, ": it is a Redis server, and no sentinel"));
    redis->ops->close(redis);
    /* A silent sentinel is passed over. */
    struct process silent = {0};
    process_place(&silent);
    redis_start(&silent, NULL);
    kill(silent.pid, SIGSTOP);
    redis = open_url("redis-sentinel://127.0.0.1:%d,127.0.0.1:%d#my-master", silent.port,
                     sentinel.port);
    await("up\n", 5000);
    redis->ops->close(redis);
    process_remove(&silent);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(the_master_is_found_and_followed),
        TEST(a_dead_master_is_replaced),
        TEST(who_is_no_master_any_more_is_given_up),
        TEST(what_sentinels_do_not_know_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
