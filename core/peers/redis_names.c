#include "peers/redis_names.h"

#include <string.h>

static void say(struct redis_names *names)
{
    struct bytes words[1 + REDIS_NAMES_MAX] = {bytes_of(names->_word)};
    const char *at = names->_names.data;
    for (size_t i = 1; i <= names->_count; i++) {
        size_t size;
        memcpy(&size, at, sizeof(size));
        words[i] = bytes_run(at + sizeof(size), size);
        at += sizeof(size) + size;
    }
    if (names->_count) redis_conn_send(names->_conn, words, 1 + names->_count);
    names->_count = 0;
    buf_clear(&names->_names);
}

static void on_turn_end(struct job *job)
{
    say(CONTAINER(job, struct redis_names, _say));
}

void redis_names_create(struct redis_names *names, struct loop *loop, struct redis_conn *conn)
{
    *names = (struct redis_names){._conn = conn, ._loop = loop, ._names = BUF_EMPTY};
    job_create(&names->_say, on_turn_end);
}

void redis_names_add(struct redis_names *names, const char *word, struct bytes name)
{
    if (names->_count == REDIS_NAMES_MAX || (names->_count && strcmp(names->_word, word))) say(names);
    names->_word = word;
    buf_add(&names->_names, &name.size, sizeof(name.size));
    buf_add_bytes(&names->_names, name);
    names->_count++;
    later_post(loop_later(names->_loop), LATER_SOON, &names->_say);
}

void redis_names_forget(struct redis_names *names)
{
    later_cancel(&names->_say);
    names->_count = 0;
    buf_destroy(&names->_names);
}
