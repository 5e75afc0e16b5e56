/* listed: answers that the library has checked already and put into texts and lists of
 * texts, so that there is nothing here to raise about; see result.c for the others. */
#include <lua.h>

#include "base/alloc.h"
#include "base/check.h"
#include "script/call.h"

static struct bytes text_at(lua_State *L, int index)
{
    struct bytes text;
    text.data = lua_tolstring(L, index, &text.size);
    CHECK(text.data);
    return text;
}

void call_note_name(struct running *running, struct bytes name)
{
    if (running->result.name_count >= running->name_capacity) {
        running->name_capacity = running->name_capacity ? running->name_capacity * 2 : 8;
        running->names = xrealloc(running->names, running->name_capacity * sizeof *running->names);
    }
    running->names[running->result.name_count++] = name;
}

/* One text, see scripts/sluice/audience.lua. */
void call_read_audience(struct running *running, lua_State *L)
{
    if (lua_isnoneornil(L, 1)) return;
    running->result.text = text_at(L, 1);
    CHECK(running->result.text.size == running->call.user_count);
    running->result.outcome = OUTCOME_YES;
}

/* Texts by turns, which live in their list, see scripts/sluice/snapshot.lua. */
void call_read_snapshot(struct running *running, lua_State *L)
{
    if (lua_isnoneornil(L, 1)) return;
    const size_t count = lua_objlen(L, 1);
    for (size_t i = 1; i <= count; i++) {
        lua_rawgeti(L, 1, (int)i);
        call_note_name(running, text_at(L, -1));
        lua_pop(L, 1);
    }
    running->result.names = running->names;
    running->result.outcome = OUTCOME_YES;
}
