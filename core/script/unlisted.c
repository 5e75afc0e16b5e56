#include "script/unlisted.h"

#include "base/buf.h"
#include "ports/log.h"

enum { TYPE_SHOWN = 256 }; /* bytes of a type that are looked at: more is no name */

void unlisted_destroy(struct unlisted *unlisted)
{
    dict_destroy(&unlisted->_told);
}

/* True: for the first time. */
static bool note(struct unlisted *unlisted, struct bytes topic, struct bytes type)
{
    struct buf key = BUF_EMPTY;
    buf_add_bytes(&key, topic);
    buf_add_char(&key, '\n'); /* which no type has */
    buf_add_bytes(&key, type);
    const bool is_new = !dict_get(&unlisted->_told, buf_bytes(&key));
    if (is_new) dict_set(&unlisted->_told, buf_bytes(&key), unlisted);
    buf_destroy(&key);
    return is_new;
}

void unlisted_tell(struct unlisted *unlisted, struct log *log, const struct unlisted_type *found)
{
    struct bytes type = found->type;
    if (type.size > TYPE_SHOWN) type.size = TYPE_SHOWN;
    if (unlisted->_told.count > UNLISTED_MAX || !note(unlisted, found->topic, type)) return;
    if (unlisted->_told.count <= UNLISTED_MAX)
        LOG(log, LOG_WARN, "a type that its topic does not list", F_TEXT("app", found->app),
            F_BYTES("topic", found->topic), F_BYTES("type", type),
            F_TEXT("declared", found->declared));
    else
        LOG(log, LOG_WARN, "more types that their topics do not list, which are not told",
            F_TEXT("app", found->app), F_NUMBER("told", UNLISTED_MAX));
}
