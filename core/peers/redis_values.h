/* redis_values: what a server answers, as values (ports/redis.h): hiredis' reader makes them of the
 * bytes that came, in *arenas*: blocks of memory that many values share and that are used again
 * when all of these have been handed over. So a small value costs no allocation of its own.
 *
 * An arena is *held*, and counted so, by the reader while a value of it is incomplete, and
 * by whoever has a value that is not told yet. Only here is hiredis known. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "ports/redis.h"

enum { ARENA_CHUNK_BYTES = 32 * 1024, ARENA_FULL_BYTES = 128 * 1024 };

struct arena;

/* The arenas of one server: the one at hand, and those that are held. */
struct arenas {
    struct arena *_current;
    struct arena *_spare; /* one, empty */
};

void arenas_create(struct arenas *arenas);
void arenas_destroy(struct arenas *arenas); /* none is held */

/* One that takes more, held; held once more; let go of. */
struct arena *arenas_hold(struct arenas *arenas);
void arena_hold(struct arena *arena);
void arenas_release(struct arenas *arenas, struct arena *arena);

/* Memory for anything, valid while it is held; `text` ends with NUL. */
void *arena_take(struct arena *arena, size_t size);
const char *arena_text(struct arena *arena, struct bytes text);

/* Gets whole values, in order; the arena is held for it by the reader until it returns. False: no more, please. */
typedef bool redis_reader_f(void *owner, const struct redis_value *value, size_t size,
                            struct arena *arena);

struct redis_reader {
    void *_parser;
    struct arenas *_arenas;
    struct arena *_arena; /* of the value at hand; NULL: between two */
    size_t _size;         /* of the value at hand, about */
};

void redis_reader_create(struct redis_reader *reader, struct arenas *arenas);
void redis_reader_destroy(struct redis_reader *reader); /* any number of times */

/* False: these bytes are not Redis' protocol; a sentence in *why, valid until it is destroyed. */
bool redis_reader_feed(struct redis_reader *reader, struct bytes bytes, redis_reader_f *got,
                       void *owner, const char **why);
