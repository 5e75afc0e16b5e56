/* The texts are the assembler's to take in (.incbin), so that they are files that can be read, checked
 * and tried by themselves; it looks for them from the folder in which the compiler was started. */
#include "cluster/scripts.h"

#include "base/text.h"

#define TAKE_IN(name, files)                                                                        \
    __asm__(".section .rodata\n"                                                                   \
            "cluster_lua_" #name ":\n" files "cluster_lua_" #name "_end:\n"                        \
            ".byte 0\n"                                                                            \
            ".previous\n");                                                                        \
    extern const char cluster_lua_##name[], cluster_lua_##name##_end[]

#define FILE_OF(name) ".incbin \"core/cluster/" #name ".lua\"\n"

TAKE_IN(enter, FILE_OF(enter));
TAKE_IN(beat, FILE_OF(epoch) FILE_OF(beat));
TAKE_IN(publish, FILE_OF(epoch) FILE_OF(publish));
TAKE_IN(reserve, FILE_OF(epoch) FILE_OF(reserve));
TAKE_IN(load, FILE_OF(epoch) FILE_OF(load));
TAKE_IN(claim, FILE_OF(epoch) FILE_OF(claim));
TAKE_IN(tell, FILE_OF(epoch) FILE_OF(tell));
TAKE_IN(topics, FILE_OF(epoch) FILE_OF(topics));
TAKE_IN(announce, FILE_OF(epoch) FILE_OF(announce));
TAKE_IN(announced, FILE_OF(epoch) FILE_OF(announced));
TAKE_IN(watermark_tab, FILE_OF(epoch) FILE_OF(watermark) FILE_OF(watermark_tab));
TAKE_IN(watermark_raise, FILE_OF(epoch) FILE_OF(watermark) FILE_OF(watermark_raise));
TAKE_IN(watermark_posted, FILE_OF(epoch) FILE_OF(watermark) FILE_OF(watermark_posted));
TAKE_IN(watermark_due, FILE_OF(epoch) FILE_OF(watermark) FILE_OF(watermark_due));
TAKE_IN(watermark_row, FILE_OF(epoch) FILE_OF(watermark) FILE_OF(watermark_row));
TAKE_IN(watermark_tell, FILE_OF(epoch) FILE_OF(watermark) FILE_OF(watermark_tell));
TAKE_IN(stretch, FILE_OF(epoch) FILE_OF(stretch));
TAKE_IN(stretches, FILE_OF(epoch) FILE_OF(stretches));
TAKE_IN(crowd_begin, FILE_OF(epoch) FILE_OF(crowd) FILE_OF(crowd_begin));
TAKE_IN(crowd_say, FILE_OF(epoch) FILE_OF(crowd) FILE_OF(crowd_say));
TAKE_IN(crowd_tend, FILE_OF(epoch) FILE_OF(crowd) FILE_OF(crowd_tend));
TAKE_IN(crowd_ask, FILE_OF(epoch) FILE_OF(crowd_ask));

#define SCRIPT(name) {#name, cluster_lua_##name, cluster_lua_##name##_end}

const struct cluster_script cluster_scripts[SCRIPTS] = {
    [SCRIPT_ENTER] = SCRIPT(enter),
    [SCRIPT_BEAT] = SCRIPT(beat),
    [SCRIPT_PUBLISH] = SCRIPT(publish),
    [SCRIPT_RESERVE] = SCRIPT(reserve),
    [SCRIPT_LOAD] = SCRIPT(load),
    [SCRIPT_CLAIM] = SCRIPT(claim),
    [SCRIPT_TELL] = SCRIPT(tell),
    [SCRIPT_TOPICS] = SCRIPT(topics),
    [SCRIPT_ANNOUNCE] = SCRIPT(announce),
    [SCRIPT_ANNOUNCED] = SCRIPT(announced),
    [SCRIPT_WATERMARK_TAB] = SCRIPT(watermark_tab),
    [SCRIPT_WATERMARK_RAISE] = SCRIPT(watermark_raise),
    [SCRIPT_WATERMARK_POSTED] = SCRIPT(watermark_posted),
    [SCRIPT_WATERMARK_DUE] = SCRIPT(watermark_due),
    [SCRIPT_WATERMARK_ROW] = SCRIPT(watermark_row),
    [SCRIPT_WATERMARK_TELL] = SCRIPT(watermark_tell),
    [SCRIPT_STRETCH] = SCRIPT(stretch),
    [SCRIPT_STRETCHES] = SCRIPT(stretches),
    [SCRIPT_CROWD_BEGIN] = SCRIPT(crowd_begin),
    [SCRIPT_CROWD_SAY] = SCRIPT(crowd_say),
    [SCRIPT_CROWD_TEND] = SCRIPT(crowd_tend),
    [SCRIPT_CROWD_ASK] = SCRIPT(crowd_ask),
};

const struct cluster_script *cluster_script_named(struct bytes name)
{
    for (int i = 0; i < SCRIPTS; i++)
        if (bytes_equal(bytes_of(cluster_scripts[i].name), name)) return &cluster_scripts[i];
    return NULL;
}

uint64_t script_number(const struct redis_value *value)
{
    const long long number = value->kind == REDIS_TEXT ? text_number(value->text, INT64_MAX) : -1;
    return number < 0 ? 0 : (uint64_t)number;
}
