/* arguments: the words behind a command: its options and the rest. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { ARGUMENTS_OPTIONS_MAX = 32 };

struct arguments {
    struct {
        const char *name, *value;
    } _options[ARGUMENTS_OPTIONS_MAX];
    size_t _option_count;
    const char *const *words; /* those that are no option, in order; borrowed */
    size_t word_count;
};

/* Reads the words in place. `options` names what the command takes, one after the other: "-c=" has a
 * value, "-H=+" has one each time it is given, "--json" has none; `most` is how many other words. False: `error` (of 160 bytes) is a
 * sentence that names the word and the nearest option. */
bool arguments_read(struct arguments *arguments, const char **words, size_t count,
                    const char *const *options, size_t most, char error[160]);

/* The value of an option at its n-th place, counted from 0; NULL: it is not given so often. */
const char *arguments_get_at(const struct arguments *arguments, const char *option, size_t n);

/* The value of an option, "" for one without a value; NULL: not given. */
const char *arguments_get(const struct arguments *arguments, const char *option);
