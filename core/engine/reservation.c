#include "engine/reservation.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/check.h"
#include "base/hash.h"
#include "cluster/scripts.h"
#include "engine/joint.h"
#include "engine/remembered.h"

/* ---- what is asked ---- */

/* Keys that all processes know: who can find two questions with one hash fools nobody but itself. */
static void hash_all(struct bytes text, char out[RESERVATION_HASH_SIZE])
{
    const struct hash_key first = {1, 1}, second = {2, 2};
    char digits[RESERVATION_HASH_SIZE + 1];
    snprintf(digits, sizeof(digits), "%016" PRIx64 "%016" PRIx64,
             hash_sip(first, text.data, text.size), hash_sip(second, text.data, text.size));
    memcpy(out, digits, RESERVATION_HASH_SIZE);
}

/* Netstrings: no two lists give the same text. */
static void add_part(struct buf *out, struct bytes part)
{
    buf_printf(out, "%zu:", part.size);
    buf_add_bytes(out, part);
    buf_add_char(out, ',');
}

void reservation_create(struct reservation *reservation, struct joint *joint,
                        const struct bytes *names, size_t name_count, const struct bytes *parts,
                        size_t part_count, uint64_t ttl_ms)
{
    struct buf text = BUF_EMPTY;
    *reservation = (struct reservation){._joint = joint, .ttl_ms = ttl_ms};
    for (size_t i = 0; i < name_count; i++) add_part(&reservation->key, names[i]);
    for (size_t i = 0; i < part_count; i++) add_part(&text, parts[i]);
    hash_all(buf_bytes(&text), reservation->hash);
    buf_destroy(&text);
}

/* ---- asking ---- */

static uint32_t server_of(const struct reservation *reservation)
{
    return cluster_server_of(reservation->_joint->cluster, buf_bytes(&reservation->key));
}

static struct cluster_call *run(const struct reservation *reservation, uint64_t ttl_ms, redis_done_f *done,
                                void *owner)
{
    struct cluster *cluster = reservation->_joint->cluster;
    char ttl[24];
    const int size = snprintf(ttl, sizeof(ttl), "%" PRIu64, ttl_ms);
    const struct bytes words[] = {buf_bytes(&reservation->key),
                                  bytes_run(reservation->hash, RESERVATION_HASH_SIZE),
                                  cluster_node(cluster), bytes_run(ttl, (size_t)size)};
    return cluster_run(cluster, server_of(reservation), &cluster_scripts[SCRIPT_RESERVE], words, 4, done,
                       owner);
}

static void read_record(const struct reservation *reservation, struct bytes record,
                        struct reservation_answer *answer)
{
    const struct bytes hash = bytes_run(reservation->hash, RESERVATION_HASH_SIZE);
    const bool same = remembered_read(record, hash, server_of(reservation), &answer->places, &answer->rest);
    answer->reserved = same ? RESERVED_AGAIN : RESERVED_OTHER;
}

static void on_asked(void *owner, const struct redis_answer *said)
{
    struct reservation *reservation = owner;
    struct reservation_answer answer = {.reserved = RESERVED_NOT, .code = said->code};
    const struct redis_value *value = said->value;
    const bool list = value && value->kind == REDIS_LIST && value->count;
    const struct bytes word = list ? value->items[0].text : (struct bytes){NULL, 0};
    reservation->_call = NULL;
    if (!said->code) answer.code = "error";
    if (bytes_is(word, "mine"))
        answer.reserved = RESERVED_MINE;
    else if (bytes_is(word, "waits"))
        answer.reserved = RESERVED_WAITS;
    else if (bytes_is(word, "again") && value->count == 2)
        read_record(reservation, value->items[1].text, &answer);
    reservation->mine = answer.reserved == RESERVED_MINE;
    reservation->_done(reservation->_owner, &answer);
}

void reservation_ask(struct reservation *reservation, reservation_done_f *done, void *owner)
{
    CHECK(!reservation->_call);
    reservation->_done = done;
    reservation->_owner = owner;
    reservation->_call = run(reservation, reservation->ttl_ms, on_asked, reservation);
}

/* ---- the end ---- */

void reservation_kept(struct reservation *reservation)
{
    reservation->mine = false;
}

static void on_let_go(void *owner, const struct redis_answer *answer)
{
    (void)owner, (void)answer; /* else its time passes */
}

void reservation_destroy(struct reservation *reservation)
{
    const bool asked = reservation->_call != NULL;
    if (asked) cluster_cancel(reservation->_call);
    if (asked || reservation->mine) run(reservation, 0, on_let_go, NULL);
    buf_destroy(&reservation->key);
    *reservation = (struct reservation){0};
}
