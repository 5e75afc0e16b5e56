#include "server/arguments.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum { NAME_MAX_SIZE = 32, ERROR_SIZE = 160 };

/* The option of this name among those taken; *has_value says whether it needs one. */
static const char *find(const char *const *options, const char *word, size_t size, bool *has_value)
{
    for (; *options; options++) {
        const size_t length = strcspn(*options, "=");
        *has_value = (*options)[length] == '=';
        if (length == size && memcmp(*options, word, size) == 0) return *options;
    }
    return NULL;
}

static void say_unknown(const char *const *options, const char *word, char *error)
{
    char names[ARGUMENTS_OPTIONS_MAX][NAME_MAX_SIZE];
    const char *candidates[ARGUMENTS_OPTIONS_MAX + 1] = {NULL};
    for (size_t i = 0; options[i] && i < ARGUMENTS_OPTIONS_MAX; i++) {
        snprintf(names[i], NAME_MAX_SIZE, "%.*s", (int)strcspn(options[i], "="), options[i]);
        candidates[i] = names[i];
    }
    const char *nearest = text_nearest(word, candidates);
    snprintf(error, ERROR_SIZE, "unknown option '%.40s'%s%s%s", word,
             nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
}

/* One option, and its value if that is the next word: how many words it took; 0: error says why. */
static size_t take(struct arguments *arguments, const char **words, size_t count,
                   const char *const *options, char *error)
{
    const char *word = words[0];
    const size_t size = word[1] == '-' ? strcspn(word, "=") : strlen(word);
    bool has_value = false;
    const char *option = find(options, word, size, &has_value);
    const bool joined = word[size] == '=';
    if (!option) {
        say_unknown(options, word, error);
        return 0;
    }
    if (joined && !has_value) {
        snprintf(error, ERROR_SIZE, "'%.*s' takes no value", (int)size, word);
        return 0;
    }
    if (has_value && !joined && count == 1) {
        snprintf(error, ERROR_SIZE, "'%.*s' needs a value", (int)size, word);
        return 0;
    }
    const bool again = has_value && option[size + 1] == '+';
    if (arguments->_option_count == ARGUMENTS_OPTIONS_MAX) {
        snprintf(error, ERROR_SIZE, "'%.*s' is given too often", (int)size, word);
        return 0;
    }
    if (!again && arguments_get(arguments, option)) {
        snprintf(error, ERROR_SIZE, "'%.*s' is given twice", (int)size, word);
        return 0;
    }
    const char *value = !has_value ? "" : joined ? word + size + 1 : words[1];
    arguments->_options[arguments->_option_count].name = option;
    arguments->_options[arguments->_option_count++].value = value;
    return has_value && !joined ? 2 : 1;
}

bool arguments_read(struct arguments *arguments, const char **words, size_t count,
                    const char *const *options, size_t most, char error[ERROR_SIZE])
{
    *arguments = (struct arguments){.words = words};
    bool all_words = false; /* behind "--" */
    for (size_t i = 0; i < count;) {
        const bool option = !all_words && words[i][0] == '-' && words[i][1];
        if (option && strcmp(words[i], "--") == 0) {
            all_words = true;
            i++;
        } else if (option) {
            const size_t took = take(arguments, words + i, count - i, options, error);
            if (!took) return false;
            i += took;
        } else if (arguments->word_count == most) {
            snprintf(error, ERROR_SIZE, "'%.80s' is one word too many", words[i]);
            return false;
        } else {
            words[arguments->word_count++] = words[i++];
        }
    }
    return true;
}

const char *arguments_get_at(const struct arguments *arguments, const char *option, size_t n)
{
    const size_t size = strcspn(option, "=");
    for (size_t i = 0; i < arguments->_option_count; i++) {
        const char *name = arguments->_options[i].name;
        if (strcspn(name, "=") == size && memcmp(name, option, size) == 0 && n-- == 0)
            return arguments->_options[i].value;
    }
    return NULL;
}

const char *arguments_get(const struct arguments *arguments, const char *option)
{
    return arguments_get_at(arguments, option, 0);
}
