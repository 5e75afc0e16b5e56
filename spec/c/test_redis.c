/* Redis servers as the rest sees them, against real ones: urls, values, greetings, order, bounds, what is
 * lost, silence - the server's and our own -, and Sentinel. */
#include "redis_world.h"

#include "loop/logger.h"
#include "peers/redis_retry.h"
#include "peers/redis_url.h"
#include "peers/redis_values.h"

static struct process one;
static int descriptors;
static char log_path[96];

static int open_descriptors(void)
{
    int count = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (readdir(dir)) count++;
    closedir(dir);
    return count;
}

static int begin(void **state)
{
    (void)state;
    loop = loop_new();
    descriptors = open_descriptors();
    process_place(&one);
    snprintf(log_path, sizeof(log_path), "%s/log", one.dir);
    logger_open(logger_of(loop_log(loop)), log_path);
    opener = redis_peer_new(loop, &(struct redis_peer_limits){.connect_timeout_ms = 500,
                                                              .timeout_ms = 300});
    return 0;
}

static int end(void **state)
{
    if (redis_peer_status(opener, 0, &(struct redis_peer_status){0})) return -1; /* the test failed */
    redis_peer_free(opener);
    logger_open(logger_of(loop_log(loop)), NULL);
    process_remove(&one);
    buf_destroy(&told);
    assert_int_equal(open_descriptors(), descriptors);
    loop_free(loop);
    return nothing_left(state);
}

static const char *log_text(void)
{
    static char text[8192];
    int fd = open(log_path, O_RDONLY | O_CLOEXEC);
    ssize_t size = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[size > 0 ? size : 0] = '\0';
    return text;
}

static int times(const char *text, const char *part)
{
    int count = 0;
    for (; (text = strstr(text, part)); text += strlen(part)) count++;
    return count;
}

static void close_it(struct redis *redis)
{
    redis->ops->close(redis);
}

/* ---- urls ---- */

static void urls_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *url, *shown, *user, *password;
    } good[] = {
        {"redis://a", "redis://a:6379", NULL, NULL},
        {"redis://127.0.0.1:1/", "redis://127.0.0.1:1", NULL, NULL},
        {"redis://[::1]:6380/15", "redis://[::1]:6380/15", NULL, NULL},
        {"redis://:p%40%2Fw@a.b-c_d", "redis://a.b-c_d:6379", NULL, "p@/w"},
        {"redis://ann:se:c@a:2/3", "redis://a:2/3", "ann", "se:c"},
        {"redis://ann:a@b@host", "redis://host:6379", "ann", "a@b"},
        {"unix:///run/r@x.sock", "unix:///run/r@x.sock", NULL, NULL},
        {"unix://:pw@/run/a%20b?db=7", "unix:///run/a b?db=7", NULL, "pw"},
        {"redis-sentinel://a,b:2/4#my%20master", "redis-sentinel://a:26379,b:2/4#my master", NULL,
         NULL},
        {"redis-sentinel://u:p@[::1]#m", "redis-sentinel://[::1]:26379#m", "u", "p"},
    };
    for (size_t i = 0; i < COUNT(good); i++) {
        struct redis_url url;
        struct buf error = BUF_EMPTY;
        if (!redis_url_create(&url, bytes_of(good[i].url), &error))
            fail_msg("%s: %s", good[i].url, buf_text(&error));
        assert_string_equal(url.shown, good[i].shown);
        assert_text(bytes_of(url.user ? url.user : "-"), good[i].user ? good[i].user : "-");
        assert_text(bytes_of(url.password ? url.password : "-"),
                    good[i].password ? good[i].password : "-");
        redis_url_destroy(&url);
    }
}

static void bad_urls_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *url, *sentence;
    } bad[] = {
        {"", "a Redis server's url begins with redis://"},
        {"localhost:6379", "a Redis server's url begins with redis://"},
        {"http://a", "a Redis server's url begins with redis://"},
        {"redis:a", "a Redis server's url begins with redis://"},
        {"rediss://:secret@a", "rediss:// cannot be had: there is no TLS to Redis"},
        {"redis://", "it names no host"},
        {"redis://:6379", "it names no host"},
        {"redis://a b", "it has a space"},
        {"redis://a\nb", "it has a space or a control character"},
        {"redis://a:0", "a port is a number from 1 to 65535, and not \"0\""},
        {"redis://a:", "a port is a number from 1 to 65535, and not \"\""},
        {"redis://a:65536", "a port is a number"},
        {"redis://a:b", "a port is a number"},
        {"redis://::1", "an IPv6 address stands in brackets"},
        {"redis://[::1", "a '[' without its ']'"},
        {"redis://[::1]6379", "behind an address in brackets"},
        {"redis://a$b", "\"a$b\" is no host's name"},
        {"redis://a/x", "the database is a number from 0 to 65535, and not \"x\""},
        {"redis://a/1/2", "the database is a number"},
        {"redis://a/1?db=2", "the database is a number"},
        {"redis://a/-1", "the database is a number"},
        {"redis://a#m", "a '#' is for the name of a redis-sentinel:// url's master"},
        {"redis://secret@a", "before the '@' stands \"user:password\""},
        {"redis://:a/secret@a", "in front of the '@' a '/' is written %2F, and a '#' %23"},
        {"redis://:a#secret@a", "in front of the '@' a '/' is written %2F"},
        {"redis-sentinel://ann:secret#b@a#m", "in front of the '@' a '/' is written %2F"},
        {"redis://ann:@a", "before the '@' stands \"user:password\""},
        {"redis://:sec%ret@a", "user and password are percent-encoded"},
        {"redis://s%eg:x@a", "user and password are percent-encoded"},
        {"redis://a,b", "is no host's name"},
        {"unix://run/redis.sock", "a Unix socket's path begins with a '/'"},
        {"unix://", "a Unix socket's path begins with a '/'"},
        {"unix:///", "a Unix socket's path begins with a '/'"},
        {"unix:///a%2", "the path has a broken percent escape"},
        {"unix:///a?database=1", "may stand ?db=number and nothing else"},
        {"unix:///a?db=x", "the database is a number"},
        {"unix:///0123456789012345678901234567890123456789012345678901234567890123456789012345678901"
         "234567890123456789012345678",
         "a Unix socket's path has 107 bytes at most"},
        {"redis-sentinel://a", "the name of their master"},
        {"redis-sentinel://a#", "the name of their master"},
        {"redis-sentinel://a,#m", "it names no host"},
        {"redis-sentinel://a#%zz", "the master's name has a broken percent escape"},
        {"redis-sentinel://a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a#m", "more than 16 sentinels"},
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct redis_url url;
        struct buf error = BUF_EMPTY;
        if (redis_url_create(&url, bytes_of(bad[i].url), &error)) fail_msg("good: %s", bad[i].url);
        if (!strstr(buf_text(&error), bad[i].sentence))
            fail_msg("%s: %s", bad[i].url, buf_text(&error));
        assert_null(strstr(buf_text(&error), "secret"));
        buf_destroy(&error);
    }
    /* None of these is worth a connection. */
    struct buf error = BUF_EMPTY;
    assert_null(opener->open(opener, BYTES("redis://"), &telling, NULL, &error));
    assert_string_equal(buf_text(&error), "it names no host");
    buf_destroy(&error);
}

/* ---- values ---- */

static struct arena *kept[64];
static const struct redis_value *kept_values[64];
static size_t kept_count;

static bool keep(void *owner, const struct redis_value *value, size_t size, struct arena *arena)
{
    (void)owner;
    assert_true(size >= sizeof(*value) + value->text.size);
    arena_hold(arena);
    kept[kept_count] = arena;
    kept_values[kept_count++] = value;
    return true;
}

/* Fed byte by byte or at once, what is read lives as long as its arena is held. */
static void values_are_made(void **state)
{
    (void)state;
    static const char wire[] = "$2\r\nab\r\n:-7\r\n$-1\r\n*-1\r\n*0\r\n+OK\r\n-ERR no\r\n"
                               "*3\r\n*2\r\n:1\r\n$3\r\na\r\n\r\n-E x\r\n$0\r\n\r\n";
    for (size_t step = 1; step <= sizeof(wire); step += 6) {
        struct arenas arenas;
        struct redis_reader reader;
        const char *why = NULL;
        arenas_create(&arenas);
        redis_reader_create(&reader, &arenas);
        kept_count = 0;
        for (size_t at = 0; at < sizeof(wire) - 1; at += step) {
            size_t left = sizeof(wire) - 1 - at;
            assert_true(redis_reader_feed(&reader, bytes_run(wire + at, left < step ? left : step),
                                          keep, NULL, &why));
        }
        struct buf text = BUF_EMPTY;
        for (size_t i = 0; i < kept_count; i++) {
            write_value(&text, kept_values[i]);
            buf_add_char(&text, '\n');
            arenas_release(&arenas, kept[i]);
        }
        assert_string_equal(buf_text(&text),
                            "'ab'\n-7\nnil\nnil\n[]\n'OK'\n!ERR no\n[[1 'a\r\n'] !E x '']\n");
        buf_destroy(&text);
        redis_reader_destroy(&reader);
        arenas_destroy(&arenas);
    }
}

static void what_is_no_protocol_is_told(void **state)
{
    (void)state;
    static const char *const wires[] = {"HTTP/1.1 200 OK\r\n", "*2\r\n:1\r\n?\r\n",
                                        "*99999999\r\n:1\r\n"};
    for (size_t i = 0; i < COUNT(wires); i++) {
        struct arenas arenas;
        struct redis_reader reader;
        const char *why = NULL;
        arenas_create(&arenas);
        redis_reader_create(&reader, &arenas);
        assert_false(redis_reader_feed(&reader, bytes_of(wires[i]), keep, NULL, &why));
        assert_non_null(why);
        redis_reader_destroy(&reader);
        arenas_destroy(&arenas);
    }
}

/* Many small ones share memory: there are far fewer blocks than values, and they are used again. */
static void small_values_share_memory(void **state)
{
    (void)state;
    struct arenas arenas;
    struct redis_reader reader;
    const char *why = NULL;
    arenas_create(&arenas);
    redis_reader_create(&reader, &arenas);
    const size_t before = alloc_live();
    size_t most = 0;
    for (int round = 0; round < 200; round++) {
        static const char wire[] = "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nxy\r\n";
        kept_count = 0;
        for (int i = 0; i < 60; i++)
            assert_true(redis_reader_feed(&reader, bytes_of(wire), keep, NULL, &why));
        /* The next one is half here when the others have been told. */
        assert_true(redis_reader_feed(&reader, bytes_run(wire, 20), keep, NULL, &why));
        if (alloc_live() - before > most) most = alloc_live() - before;
        while (kept_count) arenas_release(&arenas, kept[--kept_count]);
        assert_true(redis_reader_feed(&reader, bytes_of(wire + 20), keep, NULL, &why));
        write_value(&told, kept_values[0]);
        arenas_release(&arenas, kept[--kept_count]);
    }
    assert_int_equal(times(buf_text(&told), "['message' 'a' 'xy']"), 200);
    assert_true(most < 12);
    redis_reader_destroy(&reader);
    arenas_destroy(&arenas);
}

static uint64_t lowest(struct random *random)
{
    (void)random;
    return 0;
}

static void waits_grow_and_begin_anew(void **state)
{
    (void)state;
    struct redis_retry retry = {0};
    struct random random = {lowest};
    uint64_t longest[8] = {0};
    for (int i = 0; i < 8; i++) {
        for (int j = 0; j < 400; j++) {
            struct redis_retry copy = retry;
            assert_int_equal(redis_retry_wait_ms(&copy, &random), 10);
            copy = retry;
            uint64_t wait = redis_retry_wait_ms(&copy, loop_random(loop));
            if (wait > longest[i]) longest[i] = wait;
        }
        redis_retry_wait_ms(&retry, &random);
    }
    static const uint64_t ceilings[8] = {100, 200, 400, 800, 1600, 3200, 5000, 5000};
    for (int i = 0; i < 8; i++)
        assert_in_range(longest[i], ceilings[i] * 9 / 10, ceilings[i]);
    redis_retry_stands(&retry, 1000, loop_log(loop), "a");
    redis_retry_failed(&retry, 10999, true, "lost", loop_log(loop), "a", "w");
    assert_int_equal(retry.failures, 8);
    redis_retry_stands(&retry, 20000, loop_log(loop), "a");
    redis_retry_failed(&retry, 30000, true, "lost", loop_log(loop), "a", "w");
    assert_int_equal(retry.failures, 0);
}

/* ---- commands ---- */

static void every_kind_of_answer(void **state)
{
    (void)state;
    redis_start(&one, NULL);
    struct redis *redis = open_url("redis://127.0.0.1:%d", one.port);
    call(redis, "early", "PING");
    assert_int_equal(told.size, 0); /* never before it returns */
    await("up\n", 2000);
    assert_true(redis->ops->is_up(redis));
    call(redis, "set", "SET a 5");
    call(redis, "get", "GET a");
    call(redis, "nil", "GET b");
    call(redis, "number", "INCR a");
    call(redis, "list", "MGET a b");
    call(redis, "error", "LPUSH a x");
    call(redis, "nested", "EVAL return{1,{'x',redis.error_reply('E')}} 0");
    await("nested = ", 2000);
    assert_string_equal(buf_text(&told),
                        "early = away, the Redis server is away\nup\nset = 'OK'\nget = '5'\nnil = nil\n"
                        "number = 6\nlist = ['6' nil]\n"
                        "error = error, WRONGTYPE Operation against a key holding the wrong kind of "
                        "value\nnested = [1 ['x' !ERR E]]\n");
    struct redis_peer_status now = status();
    assert_string_equal(now.state, "up");
    assert_int_equal(now.commands, 7);
    assert_int_equal(now.errors, 1);
    assert_int_equal(now.refused, 1);
    assert_int_equal(now.calls + now.bytes + now.untold_bytes, 0);
    close_it(redis);
    struct redis_peer_status none;
    assert_false(redis_peer_status(opener, 0, &none));
}

static int next_answer, answers_wrong;

static void on_counted(void *owner, const struct redis_answer *answer)
{
    if ((int)(intptr_t)owner != next_answer++ || !answer->value ||
        answer->value->number != (int)(intptr_t)owner + 1)
        answers_wrong++;
}

static bool ten_thousand(void)
{
    return next_answer == 10000;
}

static void many_commands_are_answered_in_order(void **state)
{
    (void)state;
    redis_start(&one, NULL);
    struct redis *redis = open_url("unix://%s", one.path);
    await("up\n", 2000);
    redis_peer_limit(opener, &(struct redis_peer_limits){.timeout_ms = 20000});
    next_answer = answers_wrong = 0;
    for (int i = 0; i < 10000; i++)
        redis->ops->start(redis, (struct bytes[]){BYTES("INCR"), BYTES("n")}, 2, on_counted,
                          (void *)(intptr_t)i);
    assert_int_equal(status().calls, 10000);
    assert_int_equal(status().bytes, 10000 * 21);
    assert_true(turn_until(ten_thousand, 20000));
    assert_int_equal(answers_wrong, 0);
    assert_int_equal(status().bytes, 0);
    close_it(redis);
}

static size_t big_size, list_size;
static char big_first, big_last;

static void on_big(void *owner, const struct redis_answer *answer)
{
    (void)owner;
    assert_non_null(answer->value);
    struct bytes text = answer->value->text;
    if (answer->value->kind == REDIS_LIST) {
        for (size_t i = 0; i < answer->value->count; i++)
            list_size += answer->value->items[i].text.size;
        return;
    }
    big_size = text.size;
    big_first = text.data[0];
    big_last = text.data[text.size - 1];
}

static bool is_big(void)
{
    return big_size != 0;
}

static bool is_listed(void)
{
    return list_size != 0;
}

static void big_values_pass(void **state)
{
    (void)state;
    enum { SIZE = 5 << 20, FOLD = 4 };
    redis_start(&one, NULL);
    struct redis *redis = open_url("redis://localhost:%d", one.port);
    await("up\n", 2000);
    redis_peer_limit(opener, &(struct redis_peer_limits){.timeout_ms = 20000});
    char *data = xmalloc(SIZE);
    memset(data, 'x', SIZE);
    data[0] = '\0';
    data[SIZE - 1] = '\n';
    call_words(redis, "set", (struct bytes[]){BYTES("SET"), BYTES("big"), {data, SIZE}}, 3);
    xfree(data);
    big_size = 0;
    redis->ops->start(redis, (struct bytes[]){BYTES("GET"), BYTES("big")}, 2, on_big, NULL);
    assert_true(turn_until(is_big, 20000));
    assert_int_equal(big_size, SIZE);
    assert_int_equal(big_first, '\0');
    assert_int_equal(big_last, '\n');
    /* More than may wait to be told, in one list. */
    struct bytes words[FOLD + 1] = {BYTES("MGET")};
    for (int i = 1; i <= FOLD; i++) words[i] = BYTES("big");
    list_size = 0;
    redis->ops->start(redis, words, FOLD + 1, on_big, NULL);
    assert_true(turn_until(is_listed, 20000));
    assert_int_equal(list_size, SIZE * FOLD);
    close_it(redis);
}

static struct redis_call *to_cancel;

static void on_cancelling(void *owner, const struct redis_answer *answer)
{
    struct redis *redis = owner;
    assert_int_equal(answer->value->number, 2);
    redis->ops->cancel(redis, to_cancel);
}

static void what_is_cancelled_is_not_answered(void **state)
{
    (void)state;
    redis_start(&one, NULL);
    struct redis *redis = open_url("redis://127.0.0.1:%d", one.port);
    struct redis_call *early = call(redis, "early", "PING");
    redis->ops->cancel(redis, early);
    await("up\n", 2000);
    struct redis_call *a = call(redis, "a", "INCR n");
    struct bytes incr[] = {BYTES("INCR"), BYTES("n")};
    redis->ops->start(redis, incr, 2, on_cancelling, redis);
    to_cancel = call(redis, "b", "INCR n"); /* its answer was read with the one before */
    call(redis, "c", "INCR n");
    redis->ops->cancel(redis, a);
    await("c = 4\n", 2000);
    assert_string_equal(buf_text(&told), "up\nc = 4\n");
    close_it(redis);
}

static void what_waits_is_bounded(void **state)
{
    (void)state;
    redis_start(&one, NULL);
    struct redis *redis = open_url("redis://127.0.0.1:%d", one.port);
    await("up\n", 2000);
    redis_peer_limit(opener, &(struct redis_peer_limits){.calls = 3});
    call(redis, "a", "INCR n");
    call(redis, "b", "INCR n");
    struct redis_call *c = call(redis, "c", "INCR n");
    redis->ops->cancel(redis, c); /* it waits, all the same */
    call(redis, "d", "INCR n");
    await("b = ", 2000);
    redis_peer_limit(opener, &(struct redis_peer_limits){.bytes = 100});
    call(redis, "e", "INCR n");
    call(redis, "f", "INCR 0123456789012345678901234567890123456789012345678901234567890");
    await("e = ", 2000);
    call(redis, "g", "INCR n");
    await("g = ", 2000);
    assert_string_equal(buf_text(&told),
                        "up\nd = full, too many commands wait for the Redis server\na = 1\nb = 2\n"
                        "f = full, too many commands wait for the Redis server\ne = 4\ng = 5\n");
    close_it(redis);
}

static struct redis *to_close;

static void close_in_answer(void *owner, const struct redis_answer *answer)
{
    (void)answer;
    buf_printf(&told, "%s\n", (const char *)owner);
    to_close->ops->close(to_close);
}

static void nothing_comes_after_close(void **state)
{
    (void)state;
    redis_start(&one, NULL);
    struct redis *redis = open_url("redis://127.0.0.1:%d", one.port);
    close_it(redis); /* while it connects */
    redis = open_url("redis://127.0.0.1:%d", one.port);
    await("up\n", 2000);
    subscribe(redis, "ch");
    call(redis, "a", "PING");
    loop_turn(loop, false);
    call(redis, "b", "PING");
    close_it(redis);
    turn_for(50);
    assert_string_equal(buf_text(&told), "up\n");
    /* From within an answer, with others behind it. */
    redis = to_close = open_url("redis://127.0.0.1:%d", one.port);
    buf_clear(&told);
    await("up\n", 2000);
    struct bytes ping = BYTES("PING");
    redis->ops->start(redis, &ping, 1, close_in_answer, (void *)"closes");
    call(redis, "after", "PING");
    await("closes\n", 2000);
    turn_for(50);
    assert_string_equal(buf_text(&told), "up\ncloses\n");
}

/* ---- channels ---- */

static int next_message, messages_wrong;

static void on_numbered(void *owner, struct bytes channel, struct bytes payload)
{
    (void)owner;
    if (!bytes_is(channel, "n") || atoi(payload.data) != ++next_message) messages_wrong++;
}

static bool hundred_thousand(void)
{
    return next_message == 100000;
}

static void messages_come_in_order(void **state)
{
    (void)state;
    static const struct redis_events events = {on_up, on_down, on_subscribed, on_numbered};
    redis_start(&one, NULL);
    tell_server(one.port, "CONFIG SET client-output-buffer-limit \"pubsub 0 0 0\"");
    redis_peer_limit(opener, &(struct redis_peer_limits){.timeout_ms = 20000});
    char url[128];
    snprintf(url, sizeof(url), "unix://%s", one.path);
    struct redis *redis = opener->open(opener, bytes_of(url), &events, NULL, NULL);
    await("up\n", 2000);
    subscribe(redis, "n");
    await("subscribed n\n", 2000);
    next_message = messages_wrong = 0;
    call(redis, "script", "EVAL for~i=1,100000~do~redis.call('publish','n',i)end~return~7 0");
    assert_true(turn_until(hundred_thousand, 30000));
    assert_int_equal(messages_wrong, 0);
    assert_int_equal(status().messages, 100000);
    await("script = 7\n", 5000);
    close_it(redis);
}

static int commands_of(const char *name)
{
    char line[64];
    snprintf(line, sizeof(line), "cmdstat_%s:calls=", name);
    const char *at = strstr(tell_server(one.port, "INFO commandstats"), line);
    return at ? atoi(at + strlen(line)) : 0;
}

static void channels_of_a_turn_are_a_few_commands(void **state)
{
    (void)state;
    enum { CHANNELS = 1100 };
    redis_start(&one, NULL);
    struct redis *redis = open_url("redis://127.0.0.1:%d", one.port);
    await("up\n", 2000);
    for (int i = 0; i < CHANNELS; i++) {
        char name[16];
        snprintf(name, sizeof(name), "c%d", i);
        subscribe(redis, name);
    }
    redis->ops->unsubscribe(redis, &BYTES("c0"), 1); /* behind what was asked before */
    subscribe(redis, "last");
    await("subscribed last\n", 2000);
    assert_int_equal(commands_of("subscribe"), 4);
    assert_int_equal(commands_of("unsubscribe"), 1);
    call(redis, "1", "PUBLISH c0 1");
    call(redis, "2", "PUBLISH c1 2");
    call(redis, "3", "PUBLISH c1099 3");
    await("c1099: 3\n", 2000);
    await("3 = 1\n", 2000);
    assert_non_null(strstr(buf_text(&told), "1 = 0\n"));
    assert_non_null(strstr(buf_text(&told), "2 = 1\n"));
    subscribe(redis, "unsaid"); /* and the connection is given up before it is */
    redis->ops->restart(redis, "test");
    await("down: test\nup\n", 4000);
    subscribe(redis, "anew");
    await("subscribed anew\n", 2000);
    assert_null(strstr(buf_text(&told), "unsaid"));
    close_it(redis);
}

static void channels_and_patterns(void **state)
{
    (void)state;
    redis_start(&one, NULL);
    struct redis *redis = open_url("redis://127.0.0.1:%d", one.port);
    subscribe(redis, "early"); /* nothing happens: it is not up */
    await("up\n", 2000);
    struct bytes both[] = {BYTES("a"), BYTES("b")};
    redis->ops->subscribe(redis, both, 2);
    redis->ops->subscribe_pattern(redis, BYTES("p:*"));
    await("subscribed p:*\n", 2000);
    call(redis, "1", "PUBLISH p:x 1");
    call(redis, "2", "PUBLISH a 2");
    call(redis, "3", "PUBLISH early 3");
    await("a: 2\n", 2000);
    await("3 = 0\n", 2000);
    redis->ops->unsubscribe(redis, both, 1);
    redis->ops->unsubscribe(redis, both, 0); /* of none, and not of all */
    subscribe(redis, "c");
    await("subscribed c\n", 2000);
    call(redis, "4", "PUBLISH a 4");
    call(redis, "5", "PUBLISH b 5");
    await("b: 5\n", 2000);
    await("5 = 1\n", 2000);
    assert_non_null(strstr(buf_text(&told), "up\nsubscribed a\nsubscribed b\nsubscribed p:*\n"));
    assert_non_null(strstr(buf_text(&told), "p:x: 1\n"));
    assert_non_null(strstr(buf_text(&told), "4 = 0\n"));
    assert_null(strstr(buf_text(&told), "early"));
    turn_for(400); /* confirmed, all of it: nobody is taken for silent */
    assert_null(strstr(buf_text(&told), "down"));
    close_it(redis);
}

/* ---- who we are ---- */

static void passwords_users_and_databases(void **state)
{
    (void)state;
    redis_start(&one, (const char *const[]){"--requirepass", "p@ss", "--user",
                                            "ann", "on", ">pw", "~*", "&*", "+@all",
                                            NULL});
    struct redis *redis = open_url("redis://:p%%40ss@127.0.0.1:%d/3", one.port);
    await("up\n", 2000);
    call(redis, "list", "CLIENT LIST");
    await("list = ", 2000);
    const char *list = buf_text(&told);
    assert_int_equal(times(list, " name=sluice "), 2);
    assert_int_equal(times(list, " db=3 "), 2);
    assert_int_equal(times(list, " user=default "), 2);
    close_it(redis);
    buf_clear(&told);
    redis = open_url("unix://ann:pw@%s?db=2", one.path);
    await("up\n", 2000);
    call(redis, "who", "ACL WHOAMI");
    await("who = 'ann'\n", 2000);
    close_it(redis);
}

static bool refused_thrice(void)
{
    return status().failures >= 3;
}

static void a_numeric_ipv6_address(void **state)
{
    (void)state;
    redis_start(&one, NULL);
    if (!strstr(tell_server(one.port, "CONFIG SET bind \"127.0.0.1 ::1\""), "+OK")) skip();
    struct redis *redis = open_url("redis://[::1]:%d", one.port);
    await("up\n", 2000);
    call(redis, "list", "CLIENT LIST");
    await("list = ", 2000);
    char at[32];
    snprintf(at, sizeof(at), " laddr=[::1]:%d ", one.port);
    assert_int_equal(times(buf_text(&told), at), 2);
    close_it(redis);
}

static void a_wrong_password_is_told_once(void **state)
{
    (void)state;
    redis_start(&one, (const char *const[]){"--requirepass", "right", NULL});
    struct redis *redis = open_url("redis://:wrong@127.0.0.1:%d", one.port);
    assert_true(turn_until(refused_thrice, 5000));
    assert_int_equal(told.size, 0);
    assert_string_equal(status().why, "AUTH was answered with: WRONGPASS invalid username-password "
                                      "pair or user is disabled.");
    assert_int_equal(times(log_text(), "level=error msg=\"redis refuses this user or password\""), 1);
    assert_int_equal(times(log_text(), "\n"), 1);
    assert_null(strstr(log_text(), "wrong"));
    int fd = dial(one.port);
    static const char set[] = "AUTH right\r\nCONFIG SET requirepass wrong\r\n";
    assert_int_equal(write(fd, set, sizeof(set) - 1), sizeof(set) - 1);
    await("up\n", 10000);
    close(fd);
    assert_int_equal(times(log_text(), "redis is up"), 1);
    close_it(redis);
    /* Without one, where one is wanted; and a database that there is not. */
    redis = open_url("redis://127.0.0.1:%d", one.port);
    assert_true(turn_until(refused_thrice, 5000));
    assert_string_equal(status().why, "PING was answered with: NOAUTH Authentication required.");
    close_it(redis);
    redis = open_url("redis://:wrong@127.0.0.1:%d/77", one.port);
    assert_true(turn_until(refused_thrice, 5000));
    assert_string_equal(status().why, "SELECT was answered with: ERR DB index is out of range");
    close_it(redis);
}

static void a_channel_that_is_forbidden_gives_it_up(void **state)
{
    (void)state;
    redis_start(&one, (const char *const[]){"--user", "ann", "on", ">pw", "~*", "&good*", "+@all", NULL});
    struct redis *redis = open_url("redis://ann:pw@127.0.0.1:%d", one.port);
    await("up\n", 2000);
    for (int i = 0; i < 3; i++) {
        subscribe(redis, "bad");
        await("down: NOPERM", 2000);
        buf_clear(&told);
        await("up\n", 5000);
    }
    assert_int_equal(times(log_text(), "level=error"), 1);
    assert_int_equal(times(log_text(), "\n"), 1); /* nor that it was up in between */
    close_it(redis);
}

/* ---- lost ---- */

static void either_connection_takes_the_other_along(void **state)
{
    (void)state;
    redis_start(&one, NULL);
    struct redis *redis = open_url("redis://127.0.0.1:%d", one.port);
    await("up\n", 2000);
    subscribe(redis, "ch");
    await("subscribed ch\n", 2000);
    call(redis, "waits", "BLPOP nothing 0");
    turn_for(50);
    tell_server(one.port, "CLIENT KILL TYPE normal SKIPME yes");
    await("down", 2000);
    assert_string_equal(buf_text(&told), "up\nsubscribed ch\n"
                                         "waits = lost, the server closed the connection\n"
                                         "down: the server closed the connection\n");
    assert_false(redis->ops->is_up(redis));
    buf_clear(&told);
    await("up\n", 5000);

    subscribe(redis, "ch");
    await("subscribed ch\n", 2000);
    call(redis, "waits", "BLPOP nothing 0");
    turn_for(50);
    tell_server(one.port, "CLIENT KILL TYPE pubsub");
    await("down", 2000);
    assert_string_equal(buf_text(&told), "up\nsubscribed ch\n"
                                         "waits = lost, the server closed the connection\n"
                                         "down: the server closed the connection\n");
    call(redis, "meanwhile", "PING");
    await("meanwhile = away, the Redis server is away\n", 2000);
    buf_clear(&told);
    await("up\n", 5000);
    assert_int_equal(status().losts, 2);
    assert_int_equal(status().ups, 3);
    assert_int_equal(times(log_text(), "redis is lost"), 2);

    /* Given up by its owner, likewise; nothing was subscribed in between. */
    buf_clear(&told);
    call(redis, "last", "BLPOP nothing 0");
    redis->ops->restart(redis, "because");
    await("up\n", 5000);
    call(redis, "count", "PUBLISH ch 1");
    await("count = ", 2000);
    assert_string_equal(buf_text(&told), "last = lost, because\ndown: because\nup\ncount = 0\n");
    assert_null(strstr(log_text(), "because")); /* that is its owner's to tell */
    close_it(redis);
}

/* What one connection has brought is handed over although the other is lost. */
static void what_came_is_read_before_it_is_lost(void **state)
{
    (void)state;
    redis_start(&one, NULL);
    struct redis *redis = open_url("redis://127.0.0.1:%d", one.port);
    await("up\n", 2000);
    subscribe(redis, "ch");
    await("subscribed ch\n", 2000);
    for (int i = 0; i < 4; i++) {
        buf_clear(&told);
        call(redis, "n", "INCR n");
        loop_turn(loop, false);         /* it is sent */
        tell_server(one.port, "PING"); /* and answered, and not read yet */
        tell_server(one.port, "CLIENT KILL TYPE pubsub");
        await("down", 2000);
        char want[32];
        snprintf(want, sizeof(want), "n = %d\n", i + 1);
        assert_ptr_equal(strstr(buf_text(&told), want), told.data);
        await("up\n", 5000);
        subscribe(redis, "ch");
        await("subscribed ch\n", 2000);
    }
    close_it(redis);
}

static bool tried_thrice(void)
{
    return status().failures >= 3;
}

static void it_need_not_be_there_at_first(void **state)
{
    (void)state;
    struct redis *redis = open_url("redis://127.0.0.1:%d", one.port);
    assert_true(turn_until(tried_thrice, 5000));
    assert_string_equal(status().why, "cannot connect: Connection refused");
    call(redis, "early", "PING");
    redis_start(&one, NULL);
    await("up\n", 10000);
    assert_string_equal(buf_text(&told), "early = away, the Redis server is away\nup\n");
    assert_int_equal(times(log_text(), "level=warn msg=\"redis cannot be reached\""), 1);
    close_it(redis);
    redis = open_url("unix:///nonexistent/socket");
    assert_true(turn_until(tried_thrice, 5000));
    assert_string_equal(status().why, "cannot connect: No such file or directory");
    close_it(redis);
}

static void names_are_looked_up_beside_the_loop(void **state)
{
    (void)state;
    struct redis *redis = open_url("redis://no-such-host.invalid:%d", one.port);
    assert_true(turn_until(tried_thrice, 20000));
    assert_non_null(strstr(status().why, "the name is not known: "));
    close_it(redis);
    redis = open_url("redis://no-such-host.invalid:%d", one.port);
    loop_turn(loop, false);
    close_it(redis); /* the look-up goes on, and is freed when it is answered */
    while (open_descriptors() > descriptors + 1) turn_for(10);
}

/* ---- silence ---- */

static void a_silent_server_is_given_up(void **state)
{
    (void)state;
    redis_start(&one, NULL);
    struct redis *redis = open_url("redis://127.0.0.1:%d", one.port);
    await("up\n", 2000);
    kill(one.pid, SIGSTOP);
    call(redis, "a", "INCR n");
    turn_for(150);
    call(redis, "b", "INCR n");
    uint64_t began = loop_clock(loop)->now_ms;
    await("down", 2000);
    assert_in_range(loop_clock(loop)->now_ms - began, 100, 300);
    assert_string_equal(buf_text(&told), "up\na = timeout, no answer within 0.3 s\n"
                                         "b = lost, no answer within 0.3 s\n"
                                         "down: no answer within 0.3 s\n");
    turn_for(700); /* the kernel takes connections for it, and nobody greets */
    assert_string_equal(status().why, "the server did not answer a greeting within 0.5 s");
    assert_true(status().timeouts >= 2);
    kill(one.pid, SIGCONT);
    buf_clear(&told);
    await("up\n", 10000);
    /* A subscription that is not confirmed, likewise. */
    kill(one.pid, SIGSTOP);
    subscribe(redis, "ch");
    await("down: no answer within 0.3 s", 2000);
    kill(one.pid, SIGCONT);
    await("up\n", 10000);
    close_it(redis);
}

/* We sleep: longer than the time-out, with the answer in the socket; or with the command not sent yet. */
static void our_own_sleep_is_not_its_silence(void **state)
{
    (void)state;
    redis_start(&one, NULL);
    struct redis *redis = open_url("redis://127.0.0.1:%d", one.port);
    await("up\n", 2000);
    subscribe(redis, "ch");
    await("subscribed ch\n", 2000);
    for (int i = 0; i < 6; i++) {
        call(redis, "n", "INCR n");
        subscribe(redis, "ch");
        if (i % 2) loop_turn(loop, false);
        nanosleep(&(struct timespec){.tv_nsec = 700000000}, NULL);
        turn_for(60);
    }
    await("n = 6\n", 2000);
    assert_null(strstr(buf_text(&told), "down"));
    assert_int_equal(status().timeouts, 0);
    close_it(redis);
}

/* Stopped in the wait for descriptors: the timer is due, and no descriptor was reported. */
static void who_was_stopped_reads_first(void **state)
{
    (void)state;
    redis_start(&one, NULL);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        struct redis *redis = open_url("redis://127.0.0.1:%d", one.port);
        await("up\n", 2000);
        for (int i = 0; i < 8; i++) {
            call(redis, "n", "EVAL for~i=1,1~do~end 0");
            call(redis, "n", "INCR n");
            loop_turn(loop, false);
            if (write(ends[1], "x", 1) != 1) _exit(1);
            turn_for(60);
        }
        await("n = 8\n", 2000);
        _exit(strstr(buf_text(&told), "down") ? 2 : 0);
    }
    char byte;
    for (int i = 0; i < 8; i++) {
        assert_int_equal(read(ends[0], &byte, 1), 1);
        kill(child, SIGSTOP);
        nanosleep(&(struct timespec){.tv_nsec = 450000000}, NULL);
        kill(child, SIGCONT);
    }
    int code;
    waitpid(child, &code, 0);
    close(ends[0]);
    close(ends[1]);
    assert_true(WIFEXITED(code));
    assert_int_equal(WEXITSTATUS(code), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(urls_are_read),
        TEST(bad_urls_are_told),
        TEST(values_are_made),
        TEST(what_is_no_protocol_is_told),
        TEST(small_values_share_memory),
        TEST(waits_grow_and_begin_anew),
        TEST(every_kind_of_answer),
        TEST(many_commands_are_answered_in_order),
        TEST(big_values_pass),
        TEST(what_is_cancelled_is_not_answered),
        TEST(what_waits_is_bounded),
        TEST(nothing_comes_after_close),
        TEST(messages_come_in_order),
        TEST(channels_of_a_turn_are_a_few_commands),
        TEST(channels_and_patterns),
        TEST(passwords_users_and_databases),
        TEST(a_numeric_ipv6_address),
        TEST(a_wrong_password_is_told_once),
        TEST(a_channel_that_is_forbidden_gives_it_up),
        TEST(either_connection_takes_the_other_along),
        TEST(what_came_is_read_before_it_is_lost),
        TEST(it_need_not_be_there_at_first),
        TEST(names_are_looked_up_beside_the_loop),
        TEST(a_silent_server_is_given_up),
        TEST(our_own_sleep_is_not_its_silence),
        TEST(who_was_stopped_reads_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
