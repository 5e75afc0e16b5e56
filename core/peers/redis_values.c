/* hiredis asks for objects as it goes; that its own are allocated one by one is why it gets other ones
 * here. Its reader moves what is left in its buffer for each value that it gives, so it is fed in small
 * pieces: else many small answers in one large read would take a time that grows with the square. */
#include "peers/redis_values.h"

#include <hiredis/read.h>

#include "base/alloc.h"
#include "base/check.h"

enum { FEED_BYTES = 16 * 1024, ITEMS_MAX = 1 << 24, ALIGN = 16 };

struct chunk {
    struct chunk *next;
    size_t size, used;
    _Alignas(ALIGN) char data[];
};

struct arena {
    struct chunk *chunks; /* the last one first */
    size_t bytes;
    uint32_t holds;
};

/* ---- arenas ---- */

void arenas_create(struct arenas *arenas)
{
    *arenas = (struct arenas){NULL, NULL};
}

/* Down to the first chunk, if that is of the common size. */
static void empty(struct arena *arena)
{
    struct chunk *kept = NULL;
    for (struct chunk *chunk = arena->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        if (!kept && chunk->size == ARENA_CHUNK_BYTES)
            kept = chunk;
        else
            xfree(chunk);
    }
    if (kept) *kept = (struct chunk){.next = NULL, .size = kept->size, .used = 0};
    arena->chunks = kept;
    arena->bytes = 0;
}

static void free_arena(struct arena *arena)
{
    if (!arena) return;
    CHECK(arena->holds == 0);
    empty(arena);
    xfree(arena->chunks);
    xfree(arena);
}

void arenas_destroy(struct arenas *arenas)
{
    free_arena(arenas->_current);
    free_arena(arenas->_spare);
    arenas_create(arenas);
}

void arena_hold(struct arena *arena)
{
    arena->holds++;
}

struct arena *arenas_hold(struct arenas *arenas)
{
    /* A full one is left to those who hold it. */
    if (arenas->_current && arenas->_current->bytes >= ARENA_FULL_BYTES) arenas->_current = NULL;
    if (!arenas->_current) {
        arenas->_current = arenas->_spare ? arenas->_spare : xcalloc(1, sizeof(struct arena));
        arenas->_spare = NULL;
    }
    arenas->_current->holds++;
    return arenas->_current;
}

void arenas_release(struct arenas *arenas, struct arena *arena)
{
    CHECK(arena->holds > 0);
    if (--arena->holds > 0) return;
    empty(arena);
    if (arena == arenas->_current) return;
    if (arenas->_spare)
        free_arena(arena);
    else
        arenas->_spare = arena;
}

void *arena_take(struct arena *arena, size_t size)
{
    const size_t taken = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    struct chunk *chunk = arena->chunks;
    if (!chunk || chunk->size - chunk->used < taken) {
        size_t room = taken > ARENA_CHUNK_BYTES ? taken : ARENA_CHUNK_BYTES;
        chunk = xmalloc(sizeof(*chunk) + room);
        *chunk = (struct chunk){.next = arena->chunks, .size = room, .used = 0};
        arena->chunks = chunk;
    }
    void *memory = chunk->data + chunk->used;
    chunk->used += taken;
    arena->bytes += taken;
    return memory;
}

const char *arena_text(struct arena *arena, struct bytes text)
{
    char *copy = arena_take(arena, text.size + 1);
    if (text.size) memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    return copy;
}

/* ---- what hiredis calls ---- */

/* The place of the value that is read: in its list, or of its own. */
static struct redis_value *place(const redisReadTask *task, size_t more)
{
    struct redis_reader *reader = task->privdata;
    reader->_size += sizeof(struct redis_value) + more;
    if (!task->parent) {
        reader->_arena = arenas_hold(reader->_arenas);
        reader->_size = sizeof(struct redis_value) + more;
        return arena_take(reader->_arena, sizeof(struct redis_value));
    }
    struct redis_value *list = task->parent->obj;
    return (struct redis_value *)&list->items[task->idx];
}

static void *make_text(const redisReadTask *task, char *text, size_t size)
{
    struct redis_value *value = place(task, size);
    struct redis_reader *reader = task->privdata;
    *value = (struct redis_value){
        .kind = task->type == REDIS_REPLY_ERROR ? REDIS_ERROR : REDIS_TEXT,
        .text = bytes_run(arena_text(reader->_arena, bytes_run(text, size)), size),
    };
    return value;
}

static void *make_list(const redisReadTask *task, int count)
{
    if (count < 0 || count > ITEMS_MAX) return NULL;
    struct redis_value *value = place(task, 0);
    struct redis_reader *reader = task->privdata;
    struct redis_value *items = NULL;
    if (count) items = arena_take(reader->_arena, (size_t)count * sizeof(*items));
    *value = (struct redis_value){.kind = REDIS_LIST, .items = items, .count = (size_t)count};
    return value;
}

static void *make_number(const redisReadTask *task, long long number)
{
    struct redis_value *value = place(task, 0);
    *value = (struct redis_value){.kind = REDIS_NUMBER, .number = number};
    return value;
}

static void *make_nil(const redisReadTask *task)
{
    struct redis_value *value = place(task, 0);
    *value = (struct redis_value){.kind = REDIS_NIL};
    return value;
}

/* An incomplete one: it goes with its arena. */
static void drop(void *object)
{
    (void)object;
}

static redisReplyObjectFunctions functions = {make_text, make_list, make_number, make_nil, drop};

/* ---- the reader ---- */

void redis_reader_create(struct redis_reader *reader, struct arenas *arenas)
{
    redisReader *parser = redisReaderCreateWithFunctions(&functions);
    CHECK(parser);
    parser->privdata = reader;
    *reader = (struct redis_reader){._parser = parser, ._arenas = arenas};
}

static void release(struct redis_reader *reader)
{
    if (reader->_arena) arenas_release(reader->_arenas, reader->_arena);
    reader->_arena = NULL;
}

void redis_reader_destroy(struct redis_reader *reader)
{
    if (!reader->_parser) return;
    redisReaderFree(reader->_parser);
    reader->_parser = NULL;
    release(reader);
}

/* Gives whole values away; 0, 1: no more, please, or -1. */
static int give(struct redis_reader *reader, redis_reader_f *got, void *owner)
{
    for (void *object;;) {
        if (redisReaderGetReply(reader->_parser, &object) != REDIS_OK) return -1;
        if (!object) return 0;
        struct arena *arena = reader->_arena;
        reader->_arena = NULL;
        struct arenas *arenas = reader->_arenas;
        const bool more = got(owner, object, reader->_size, arena);
        arenas_release(arenas, arena);
        if (!more) return 1;
    }
}

bool redis_reader_feed(struct redis_reader *reader, struct bytes bytes, redis_reader_f *got,
                       void *owner, const char **why)
{
    redisReader *parser = reader->_parser;
    while (bytes.size) {
        size_t size = bytes.size < FEED_BYTES ? bytes.size : FEED_BYTES;
        int given = redisReaderFeed(parser, bytes.data, size) == REDIS_OK ? give(reader, got, owner)
                                                                          : -1;
        if (given < 0) *why = parser->errstr;
        if (given) return given > 0;
        bytes = bytes_run(bytes.data + size, bytes.size - size);
    }
    return true;
}
