#include "engine/idempotency.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/check.h"

void idempotency_create(struct idempotency *idempotency)
{
    *idempotency = (struct idempotency){._records = DICT_EMPTY};
    list_create(&idempotency->_answered);
}

static struct bytes key_of(const struct record *record)
{
    return bytes_run(record->_key, record->_key_size);
}

/* What a record costs, with its entry in the dictionary, roughly. */
static size_t cost(const struct record *record, size_t answer_size)
{
    return sizeof(*record) + sizeof(struct dict_entry) + 2 * record->_key_size + answer_size;
}

static void drop(struct idempotency *idempotency, struct record *record)
{
    CHECK(list_empty(&record->waiting));
    if (record->answer.data) {
        idempotency->answers--;
        idempotency->bytes -= cost(record, record->answer.size);
    }
    list_remove(&record->node);
    dict_remove(&idempotency->_records, key_of(record));
    xfree((char *)record->answer.data);
    xfree(record);
}

static struct record *oldest(const struct idempotency *idempotency)
{
    return list_empty(&idempotency->_answered)
               ? NULL
               : CONTAINER(idempotency->_answered.next, struct record, node);
}

void idempotency_destroy(struct idempotency *idempotency)
{
    for (struct record *record; (record = oldest(idempotency));) drop(idempotency, record);
    CHECK(idempotency->_records.count == 0);
    dict_destroy(&idempotency->_records);
}

/* All have the same time to live, but after a reload: then one behind a longer-lived one stays for as
 * long as that, unless it is asked for. */
static void expire(struct idempotency *idempotency, uint64_t now_ms)
{
    for (struct record *record; (record = oldest(idempotency)) && record->_until_ms <= now_ms;)
        drop(idempotency, record);
}

static struct record *make(struct idempotency *idempotency, struct bytes key, uint64_t hash)
{
    struct record *record = xcalloc(1, sizeof(*record) + key.size);
    record->hash = hash;
    record->_key_size = (uint32_t)key.size;
    memcpy(record->_key, key.data, key.size);
    list_create(&record->node);
    list_create(&record->waiting);
    dict_set(&idempotency->_records, key, record);
    return record;
}

enum idempotency_found idempotency_look(struct idempotency *idempotency, struct bytes asker,
                                        struct bytes id, uint64_t hash, uint64_t now_ms,
                                        struct record **record)
{
    struct buf key = BUF_EMPTY; /* an id has no NUL, so this is no other pair's */
    expire(idempotency, now_ms);
    buf_add_bytes(&key, id);
    buf_add_char(&key, '\0');
    buf_add_bytes(&key, asker);
    struct record *found = dict_get(&idempotency->_records, buf_bytes(&key));
    if (found && found->answer.data && found->_until_ms <= now_ms) {
        drop(idempotency, found);
        found = NULL;
    }
    const bool fresh = !found;
    if (fresh) found = make(idempotency, buf_bytes(&key), hash);
    buf_destroy(&key);
    *record = found;
    if (fresh) return RECORD_NEW;
    if (found->hash != hash) return RECORD_OTHER;
    return found->answer.data ? RECORD_ANSWERED : RECORD_UNDERWAY;
}

void idempotency_answer(struct idempotency *idempotency, struct record *record,
                        struct bytes answer, uint64_t now_ms,
                        const struct idempotency_bounds *bounds)
{
    CHECK(!record->answer.data && list_empty(&record->waiting));
    const size_t size = cost(record, answer.size);
    if (!bounds->count || !bounds->ttl_ms || size > bounds->bytes) {
        drop(idempotency, record);
        return;
    }
    expire(idempotency, now_ms);
    while (idempotency->answers >= bounds->count || idempotency->bytes + size > bounds->bytes)
        drop(idempotency, oldest(idempotency));
    char *copy = xmalloc(answer.size + 1);
    if (answer.size) memcpy(copy, answer.data, answer.size);
    record->answer = bytes_run(copy, answer.size);
    record->_until_ms = now_ms + bounds->ttl_ms;
    list_append(&idempotency->_answered, &record->node);
    idempotency->answers++;
    idempotency->bytes += size;
}

void idempotency_forget(struct idempotency *idempotency, struct record *record)
{
    drop(idempotency, record);
}
